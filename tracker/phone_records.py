"""What becomes of each record of a phone's request, before anything is stored."""

from __future__ import annotations

from protocols.delivery import Delivery, Unusable
from protocols.report import Report
from tracker.admission import admit
from tracker.phone_limits import RecentIds
from tracker.roster import Carrier


def judge(delivery: Delivery, carrier: Carrier, name: str, known: RecentIds, now: int) -> list[str]:
    """For each record: empty if it is to be stored, else why not, in a short stable word.

    ``name`` is the one by which the device was found. Only a client that made ids is told what admission says of
    each record, so only then it is asked here; it is asked again when the record is stored. ``now`` in ms.
    """
    verdicts: list[str] = []
    ids: set[str] = set()
    points: set[tuple[object, ...]] = set()
    for index, result in enumerate(delivery.results):
        if isinstance(result, Unusable):
            verdicts.append(result.reason)
        elif delivery.owners and delivery.owners[index] not in ("", name):
            verdicts.append("other_device")
        elif delivery.ids:
            id, point = delivery.ids[index], _identity(result)
            if id in ids or point in points or known.knows(carrier.device.id, id):
                verdicts.append("duplicate")
                continue
            admitted = admit(result, carrier, now)
            verdicts.append("" if type(admitted) is tuple else str(admitted))
            if not verdicts[-1]:
                ids.add(id)
                points.add(point)
        else:
            verdicts.append("")
    return verdicts


def _identity(report: Report) -> tuple[object, ...]:
    """What makes two points of one device the same, whatever request it comes in."""
    located = report.latitude is not None
    # Without a position two reports of one moment may hold different readings.
    return (
        (report.fix_time, report.latitude, report.longitude, report.status, report.alarm) if located else (id(report),)
    )
