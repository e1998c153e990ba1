"""What a newcomer needs to know, on the terminal of a server that has come up."""

from __future__ import annotations

from tracker.catalogue import CATALOGUE, DOORS
from tracker.listening import Listening
from webmap.passwords import FirstAdmin

LISTENERS = (
    ("console 控制台", "console", "http"), ("field 外场", "field", "http"), ("phone apps 手机", "phones", "http"),
    ("handhelds 手持终端", "handheld", "tcp"), ("JT/T 808", "jt808", "tcp+udp"),
    *((CATALOGUE[name].title, name, "+".join(door.transports)) for name, door in DOORS.items()),
)  # fmt: skip


def greeting(listening: Listening, first: FirstAdmin, demo: bool) -> str:
    """Where everything is, what is open to whom without TLS, and how to sign in the first time: the password itself is
    told by the start that has made it and by no other."""
    lines = ["", f"Gridbeat is running{' the demo city 演示城市' if demo else ''}."]
    for label, name, scheme in LISTENERS:
        lines.append(f"  {label:<20} {listening.address(name, scheme)}")
    for networks, names in listening.in_the_clear().items():
        lines += [f"  without TLS 无加密    {', '.join(names)}", f"    only from 仅限 {', '.join(networks)}"]
    if first.made:
        lines.append(f"  login 登录            {first.name} / {first.made} (noted in {first.note}; delete that)")
    elif first.note.exists():
        lines.append(f"  login 登录            {first.name}, with the password in {first.note}; delete that")
    else:
        lines.append("  login 登录            as you know it; a lost password: ./run new-password")
    return "\n".join([*lines, ""])
