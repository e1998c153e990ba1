"""A disk that takes three seconds for each sync: nothing is acknowledged early, nobody loses his link, and what is more
than may wait is put off with a time to come again."""

from __future__ import annotations

import http.client
import json
import threading
from base64 import b64encode
from collections import Counter

import pytest

from tests.faults.fleet import Device, found_city
from tests.faults.server import PATIENCE, Server, resident, until
from tests.faults.tracing import injected, may_trace
from tests.faults.traffic import Traffic, reports_in

KINDS = ("handheld", "handheld", "jt808", "traccar", "batch")
SECONDS = 3
UPLOADS = 70
RECORDS = 1000
"""In one request, the most that is allowed: 70,000 in all, and 50,000 may wait."""
MEMORY = 192 << 20
"""Bytes: 50,000 records that wait, some 2.5 kB each as objects, and the requests that brought them."""


class Upload(threading.Thread):
    """One request with many records; ``status`` and ``retry`` when it is answered."""

    def __init__(self, server: Server, device: Device, number: int) -> None:
        super().__init__(daemon=True)
        self.device, self.status, self.retry = device, 0, ""
        self.times = [device.start + (number * RECORDS + n) * 1000 for n in range(RECORDS)]
        self._port = server.ports["phones"]
        self.start()

    def run(self) -> None:
        where = {"lat": self.device.latitude / 1e7, "lon": self.device.longitude / 1e7}
        body = json.dumps({"records": [{"id": str(at), "fix_time": at, **where} for at in self.times]})
        basic = b64encode(f"{self.device.external_id}:{self.device.token}".encode()).decode()
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            link.request("POST", "/batch", body, {"authorization": f"Basic {basic}"})
            answer = link.getresponse()
            answer.read()
            self.retry = answer.getheader("retry-after", "")
            self.status = answer.status
        finally:
            link.close()


def _links(traffic: Traffic) -> Counter[str]:
    return Counter({name: count for name, count in traffic.marks.items() if name.endswith("connections")})


def test_every_sync_takes_seconds(server: Server) -> None:
    reason = may_trace()
    if reason:
        pytest.skip(reason)
    city = found_city(server.data, 200, kinds=KINDS)
    fleet = [device for device in city if device.kind != "batch"]
    programs = [device for device in city if device.kind == "batch"]
    server.start()
    with Traffic(server, fleet, pace=1.0, patience=60.0) as traffic:
        traffic.flows(500)
        links, before, most = _links(traffic), resident(server.pid), 0
        with injected(server.pid, server.folder, "fdatasync,fsync", f"delay_enter={SECONDS * 1_000_000}"):
            traffic.flows(500)
            assert "journal" not in server.problems()
            uploads = [Upload(server, programs[n % len(programs)], n) for n in range(UPLOADS)]

            def answered() -> bool:
                nonlocal most
                most = max(most, resident(server.pid))
                return all(upload.status for upload in uploads)

            until(answered, "every request is answered")
            put_off = [upload for upload in uploads if upload.status == 503]
            assert put_off, "more came than may wait"
            assert {upload.status for upload in uploads} == {200, 503}
            assert all(int(upload.retry) > 0 for upload in put_off)
            assert len({upload.retry for upload in put_off}) > 1, "not all come again in one moment"
            assert most - before < MEMORY
            traffic.flows(300)
            assert _links(traffic) == links, "slowed, and nobody dropped"
            server.kill()
        kept = set(reports_in(server.data / "journal"))
        taken = {(one.device.unit, at) for one in uploads if one.status == 200 for at in one.times}
        assert taken <= kept
        assert not kept & {(one.device.unit, at) for one in put_off for at in one.times}
        server.start()
        again = [Upload(server, one.device, uploads.index(one)) for one in put_off]
        until(lambda: all(upload.status == 200 for upload in again), "what was put off is taken")
        told = traffic.drain()
    until(server.settled, "live state is complete")
    traffic.check_some(told, fleet)
    print(f"{len(put_off)} of {UPLOADS} put off; {(most - before) >> 20} MB more memory with {RECORDS * UPLOADS} sent")
