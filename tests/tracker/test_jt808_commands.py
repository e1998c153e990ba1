"""Commands to a JT/T 808 terminal, with the terminal's own side at the other end: all kinds, and photos to the disk."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from protocols.jt808 import MessageId, Position, Result
from protocols.jt808.client import Located, MediaTaken, PhotoAsked, Resent
from protocols.jt808.duties import AreasChanged, Followed, ParametersSet, ParametersTold, Told
from protocols.jt808.framing import frame
from protocols.jt808.header import Header, phone_bytes
from protocols.jt808.media import PhotoAnswer
from protocols.jt808.messages import GeneralAnswer
from protocols.jt808.parameters import ParameterList, ParametersBody
from tests.tracker.helpers import HOUR, LAT, LON, NOON, House
from tests.tracker.test_jt808_session import PHONE, Place, Vehicle
from tracker.commands_arguments import read
from tracker.commands_model import Command
from tracker.intake import Intake
from tracker.model import DeviceId

D1 = DeviceId("d1")
CIRCLE = {"id": 7, "center": {"lat": 31.0, "lon": 121.0}, "radius": 100}


def picture(size: int, seed: int = 1) -> bytes:
    """Bytes that begin like a JPEG and hold what has to be escaped on the wire."""
    return b"\xff\xd8\xff\xe0\x7e\x7d" + Random(seed).randbytes(size - 6)


@pytest.fixture
def place(house: House) -> Place:
    return Place(house)


def ask(place: Place, kind: str, s: int = 600, **given: Any) -> Command:
    asked = Deferred.fromCoroutine(place.links.ask(D1, kind, read(kind, given), s))
    place.house.settle()
    assert isinstance(asked.result, Command), asked
    return asked.result


def settle(vehicle: Vehicle) -> None:
    """Everything said goes over and comes back, and is written."""
    for _ in range(4):
        vehicle.say()
        vehicle.place.house.settle()


def shoot(vehicle: Vehicle, *pictures: bytes) -> list[int]:
    """The camera does what it was asked for last."""
    return vehicle.terminal.photos(vehicle.got(PhotoAsked)[-1], pictures)


def files(place: Place) -> list[Path]:
    return sorted(path for path in (place.house.folder.parent / "media").rglob("*") if path.is_file())


KINDS: list[tuple[str, dict[str, Any], type]] = [
    ("text", {"text": "请到人民路 12 号", "urgent": True}, Told),
    ("follow", {"interval": 5, "duration": 60}, Followed),
    ("parameters", {"values": {"report_s": 10}}, ParametersSet),
    ("query_parameters", {"parameters": ["report_s", "0x0001"]}, ParametersTold),
    ("areas_set", {"shape": "circle", "areas": [CIRCLE]}, AreasChanged),
    ("areas_delete", {"shape": "circle", "ids": []}, AreasChanged),
]


@pytest.mark.parametrize(("kind", "given", "heard"), KINDS, ids=[kind for kind, *_ in KINDS])
@pytest.mark.parametrize("version", [2011, 2013, 2019])
def test_every_kind_is_done_and_answered(
    place: Place, version: int, kind: str, given: dict[str, Any], heard: type
) -> None:
    vehicle = place.vehicle(version=version).log_in()
    command = ask(place, kind, **given)
    assert len(vehicle.got(heard)) == 1
    assert command.state == "sent"
    settle(vehicle)
    assert (command.state, command.answered, command.tries) == ("done", NOON, 1)


def test_what_the_text_says(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    ask(place, "text", text="字" * 512, display=False)
    (told,) = vehicle.got(Told)
    assert (told.text, told.display, told.speak) == ("字" * 512, False, True)
    settle(vehicle)
    assert place.links.commands.of(D1, 1)[0].state == "done"


def test_parameters_are_told_by_name(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "query_parameters", parameters=["report_s", "main_server"])
    settle(vehicle)
    assert command.result == {"parameters": {"report_s": 30, "main_server": "127.0.0.1"}}


def test_a_locate_is_answered_with_a_position_on_disk(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.position()
    place.house.settle()
    command = ask(place, "locate")
    assert vehicle.got(Located)
    vehicle.say()
    assert command.state == "sent"
    place.house.now += 200
    settle(vehicle)
    assert (command.state, command.text) == ("done", "")
    assert len(place.house.records) == 2


def test_a_locate_without_a_fix(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.position(NOON, None, None)
    command = ask(place, "locate")
    settle(vehicle)
    assert (command.state, command.text, command.zh) == ("done", "the terminal has no fix", "终端未定位")


def test_a_locate_off_duty_is_not_kept_and_says_so(place: Place) -> None:
    place.house.roster.apply(("duty", "v1:1", {"unit": "v1", "number": 1, "start": 0, "end": NOON}))
    vehicle = place.vehicle().log_in()
    vehicle.terminal.position(NOON, LAT, LON)
    command = ask(place, "locate")
    settle(vehicle)
    assert command.state == "failed"
    assert "off duty" in command.text
    assert place.house.records == []


def test_a_locate_off_duty_behind_a_backlog_that_is_kept(place: Place) -> None:
    """Both in one read: each has a fate of its own."""
    place.house.roster.apply(("duty", "v1:1", {"unit": "v1", "number": 1, "start": 0, "end": NOON}))
    vehicle = place.vehicle().log_in()
    vehicle.terminal.position(NOON - 60_000, LAT, LON)
    vehicle.terminal.position(NOON, LAT, LON)
    command = ask(place, "locate")
    settle(vehicle)
    assert command.state == "failed"
    assert len(place.house.records) == 1


@pytest.mark.parametrize(
    ("result", "word"), [(1, "could not"), (2, "errors"), (3, "does not support"), (9, "answered 9")]
)
def test_a_terminal_that_refuses(place: Place, result: int, word: str) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "locate")
    asked = vehicle.got(Located)[0].serial
    vehicle.terminal.data_to_send()  # its position is not sent
    body = GeneralAnswer(asked, MessageId.LOCATE, result).encode()
    header = Header.of(MessageId.TERMINAL_ANSWER, phone_bytes(PHONE, None), 77, None)
    vehicle.session.receive(frame(header.encode(body)))
    place.house.settle()
    assert command.state == "failed"
    assert word in command.text
    assert command.zh


def test_answers_to_what_nobody_asked(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "locate")
    vehicle.terminal.data_to_send()
    header = Header.of(MessageId.TERMINAL_ANSWER, phone_bytes(PHONE, None), 77, None)
    vehicle.session.receive(frame(header.encode(GeneralAnswer(999, MessageId.LOCATE, Result.FAILED).encode())))
    place.house.settle()
    assert command.state == "sent"


def test_an_answer_counts_for_what_it_says_it_answers(place: Place) -> None:
    """Serials begin anew with each link and go round: an old answer may name the serial of another command."""
    vehicle = place.vehicle().log_in()
    command = ask(place, "text", text="a")
    data = vehicle.terminal.data_to_send()
    (serial,) = vehicle.session._asking._asked
    listed = ParametersBody(serial, ParameterList(0, ())).encode()
    located = Position(0, 2, LAT // 10, LON // 10, 0, 0, 0, bytes.fromhex("240601200000")).encode()
    for message_id, body in [
        (MessageId.TERMINAL_ANSWER, GeneralAnswer(serial, 0x8103, Result.FAILED).encode()),
        (MessageId.PARAMETERS_ANSWER, listed),
        (MessageId.PHOTO_ANSWER, PhotoAnswer(serial, 1).encode()),
        (MessageId.LOCATION_ANSWER, serial.to_bytes(2, "big") + located),
    ]:
        header = Header.of(message_id, phone_bytes(PHONE, None), 77, None)
        vehicle.session.receive(frame(header.encode(body)))
    place.house.settle()
    place.house.settle()
    assert command.state == "sent"
    vehicle.session.receive(b"".join(data))
    place.house.settle()
    assert command.state == "done"


def test_a_terminal_that_is_not_authenticated_cannot_be_asked(place: Place) -> None:
    command = ask(place, "locate")
    assert place.vehicle().session.carry_out(command) is False


def test_what_waited_goes_out_behind_the_answer_to_the_login(place: Place) -> None:
    commands = [ask(place, "text", text=f"{n}") for n in range(6)]
    vehicle = place.vehicle().log_in()
    settle(vehicle)
    assert [event.text for event in vehicle.got(Told)] == ["0", "1", "2", "3", "4", "5"]
    assert {command.state for command in commands} == {"done"}


def test_a_link_cut_before_the_answer(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "text", text="a")
    vehicle.terminal.data_to_send()  # the answer is lost with the link
    vehicle.session.ended()
    assert command.state == "queued"
    vehicle.connect()
    vehicle.log_in()
    settle(vehicle)
    assert len(vehicle.got(Told)) == 2, "a text may show twice"
    assert (command.state, command.tries) == ("done", 2)


def test_a_terminal_that_says_nothing_is_asked_again(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "text", text="a")
    vehicle.terminal.data_to_send()
    place.house.now += 20_000
    place.house.hands.clock.advance(20)
    assert len(vehicle.got(Told)) == 2
    settle(vehicle)
    assert (command.state, command.tries) == ("done", 2)


def test_a_link_that_is_being_closed_costs_no_command(place: Place) -> None:
    """A peer that reads nothing keeps its link for minutes after we have ended the conversation."""
    vehicle = place.vehicle().log_in()
    vehicle.terminal.authenticate("wrong")
    vehicle.say()
    assert vehicle.closed
    command = ask(place, "text", text="a")
    assert command.state == "queued"
    vehicle.session.ended()
    vehicle.connect()
    vehicle.log_in()
    settle(vehicle)
    assert command.state == "done"


def test_after_a_logout_nothing_is_sent(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.logout()
    vehicle.say()
    command = ask(place, "text", text="a")
    assert (command.state, vehicle.got(Told)) == ("queued", [])


# Photos.


@pytest.mark.parametrize("version", [2011, 2013, 2019])
def test_photos_are_on_disk_to_the_bit(place: Place, version: int) -> None:
    vehicle = place.vehicle(version=version).log_in()
    vehicle.terminal.position(NOON, LAT, LON)
    vehicle.say()
    place.house.settle()
    command = ask(place, "photo", count=2, channel=3)
    pictures = picture(70_000), picture(900, 2)
    ids = shoot(vehicle, *pictures)
    settle(vehicle)
    assert command.state == "done"
    assert command.result is not None
    assert [photo["media_id"] for photo in command.result["photos"]] == ids
    assert sorted(path.read_bytes() for path in files(place)) == sorted(pictures)
    assert [event.media_id for event in vehicle.got(MediaTaken)] == ids
    assert not vehicle.terminal.media
    newest = place.links.photos.index.of(D1, 10)[0]
    assert (newest.command, newest.channel, newest.event, newest.size, newest.type) == (
        command.id, 3, 0, 900, "image/jpeg",
    )  # fmt: skip
    assert newest.taken == (None if version == 2011 else NOON)
    assert newest.name == f"2026-11-23/{newest.id}.jpg"


def test_where_a_photo_was_taken_is_a_position_like_others(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.position(NOON - HOUR, LAT, LON)
    vehicle.terminal.data_to_send()  # the position itself is lost
    vehicle.terminal.medium(picture(500))
    settle(vehicle)
    (record,) = place.house.records
    assert (record.fix_time, record.latitude) == (NOON - HOUR, LAT // 10 * 10)


def test_nothing_is_acknowledged_before_file_and_journal(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    place.house.hands.hold()  # the disk does not answer
    vehicle.terminal.medium(picture(500))
    vehicle.say()
    place.house.hands.clock.advance(1)
    assert vehicle.got(MediaTaken) == []
    assert vehicle.session.waiting == 16
    place.house.hands.release()
    assert len(files(place)) == 1
    assert vehicle.got(MediaTaken) == [], "it is in no journal yet"
    assert place.links.photos.index.of(D1, 10) == []
    settle(vehicle)
    assert len(vehicle.got(MediaTaken)) == 1
    assert (vehicle.session.waiting, vehicle.drained > 0) == (0, True)


def test_a_photo_that_the_disk_does_not_take_comes_again(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    place.house.hands.broken = True
    vehicle.terminal.medium(picture(5000))
    settle(vehicle)
    assert vehicle.got(MediaTaken) == []
    assert place.house.refused("jt808")["media_disk"] == 1
    assert vehicle.session.waiting == 0
    place.house.hands.broken = False
    vehicle.session.ended()
    vehicle.connect()
    vehicle.log_in()
    settle(vehicle)
    assert len(vehicle.got(MediaTaken)) == 1
    assert [path.read_bytes() for path in files(place)] == [picture(5000)]


def test_a_journal_that_is_full_gives_no_answer(tmp_path: Path) -> None:
    house = House(tmp_path / "journal", max_waiting=2)
    vehicle = Place(house).vehicle().log_in()
    house.intake.journal.append([(9,), (9,)], lambda first: None)
    vehicle.terminal.medium(picture(500))
    vehicle.say()
    house.settle()
    assert vehicle.got(MediaTaken) == []
    assert vehicle.session.waiting == 0
    house.close()


def test_a_store_that_is_full_refuses_and_deletes_nothing(house: House) -> None:
    place = Place(house)
    place.links = house.make_links(limit=3000)
    vehicle = place.vehicle().log_in()
    for seed in (1, 2, 3, 4):
        vehicle.terminal.medium(picture(1000, seed))
    settle(vehicle)
    assert len(files(place)) == 3
    assert place.house.refused("jt808") == {"media_full": 1}
    assert len(vehicle.terminal.media) == 1, "the terminal has it still"
    assert place.links.photos.blobs.full


def test_one_that_comes_again_is_kept_once(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.medium(picture(500))
    frames = vehicle.terminal.data_to_send()
    for _ in range(2):  # twice in one go, and once more when it is on disk
        vehicle.session.receive(b"".join(frames))
    assert vehicle.session.waiting == 32
    settle(vehicle)
    vehicle.session.receive(b"".join(frames))
    settle(vehicle)
    assert len(vehicle.got(MediaTaken)) == 3
    assert len(place.links.photos.index) == len(files(place)) == 1
    assert vehicle.session.waiting == 0


def test_one_that_comes_again_over_a_new_link_while_the_disk_has_it(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.medium(picture(500))
    vehicle.say()
    vehicle.session.ended()
    vehicle.connect()
    vehicle.log_in()
    settle(vehicle)
    assert vehicle.got(MediaTaken)
    assert not vehicle.terminal.media, "the new link was told, too"
    assert len(place.links.photos.index) == 1


def test_off_duty_no_photo_is_kept(place: Place) -> None:
    place.house.roster.apply(("duty", "v1:1", {"unit": "v1", "number": 1, "start": 0, "end": NOON}))
    vehicle = place.vehicle(version=2011).log_in()
    vehicle.terminal.medium(picture(500))
    settle(vehicle)
    assert len(vehicle.got(MediaTaken)) == 1, "or it would send it for ever"
    command = ask(place, "photo")
    shoot(vehicle, picture(500))
    settle(vehicle)
    assert (command.state, command.text) == ("failed", "the photo is not kept: off duty")
    assert files(place) == []
    assert place.house.refused("jt808") == {"off_duty": 2}


def test_sound_is_not_kept(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.medium(b"RIFF" + bytes(500), kind=1, format=3)
    settle(vehicle)
    assert len(vehicle.got(MediaTaken)) == 1
    assert files(place) == []
    assert place.house.refused("jt808") == {"media_kind": 1}


def test_what_is_no_jpeg_is_called_so(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    vehicle.terminal.medium(b"<html><script>", format=0)
    settle(vehicle)
    (photo,) = place.links.photos.index.of(D1, 10)
    assert (photo.type, photo.name[-4:]) == ("application/octet-stream", ".bin")


def test_an_alarms_photo_answers_no_command(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "photo")
    vehicle.terminal.medium(picture(500), event=2)
    settle(vehicle)
    (photo,) = place.links.photos.index.of(D1, 10)
    assert (photo.command, photo.event, command.state) == (None, 2, "sent")


def test_a_camera_that_fails(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "photo")
    shoot(vehicle)
    settle(vehicle)
    assert (command.state, command.text) == ("failed", "the terminal could not take the photo")


def test_lost_fragments_are_asked_for_in_time(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "photo")
    vehicle.terminal.lose = {2, 5}
    shoot(vehicle, picture(9_000))
    vehicle.say()
    assert vehicle.got(Resent) == []
    place.house.now += 5_000
    place.house.hands.clock.advance(5)
    assert vehicle.got(Resent)
    settle(vehicle)
    assert command.state == "done"
    assert [path.read_bytes() for path in files(place)] == [picture(9_000)]


def test_a_link_cut_in_the_middle_of_a_photo(place: Place) -> None:
    vehicle = place.vehicle().log_in()
    command = ask(place, "photo", s=3600)
    shoot(vehicle, picture(9_000))
    frames = vehicle.terminal.data_to_send()
    vehicle.session.receive(b"".join(frames[:4]))
    vehicle.session.ended()
    vehicle.connect()
    vehicle.log_in()
    settle(vehicle)
    assert command.state == "done"
    assert [path.read_bytes() for path in files(place)] == [picture(9_000)]


def test_a_server_that_was_killed_between_the_steps(place: Place) -> None:
    house, vehicle = place.house, place.vehicle().log_in()
    command = ask(place, "photo", s=3600)
    house.hands.hold()
    shoot(vehicle, picture(900))
    vehicle.say()
    house.hands.release()
    house.hands.broken = True  # the file is there; the journal never hears of it
    house.settle()
    (whole,) = files(place)
    part = whole.with_name("other.jpg.part")
    part.write_bytes(b"half of another")
    assert vehicle.got(MediaTaken) == []

    house.hands.broken = False
    place.links.stop()
    house.intake = Intake(house.journal, lambda: house.now)
    house.roster = house.intake.roster
    place = Place(house)
    house.intake.replay(place.links.replay)
    place.links.start()
    assert files(place) == [whole]
    assert place.links.photos.index.of(D1, 10) == []
    vehicle.place = place
    vehicle.connect()
    vehicle.log_in()
    settle(vehicle)
    found = place.links.commands.get(command.id)
    assert found is not None
    assert found.state == "done"
    assert [path.read_bytes() for path in files(place)] == [picture(900)]
