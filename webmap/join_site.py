"""The page on the field's site with which a phone becomes somebody's: ``/join``, its few files, and the one request.

Nobody is signed in here. What opens it is a code that a seat has made (tracker/enrolment.py); the link's secret is in
the fragment, which browsers tell no server and no proxy.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from klein import Klein
from twisted.web.pages import notFound

from protocols.phone_setup import APPS
from tracker.catalogue import CATALOGUE
from tracker.device_plans import plan_enrolment
from tracker.enrolment import Offer, void
from tracker.model import Device, DeviceId
from tracker.roster import Change, Roster
from tracker.tokens import accepts, hashed, new_token
from webmap.access import address_of
from webmap.front import Front
from webmap.login_api import LIMIT
from webmap.page import STATIC
from webmap.phone_api import base_of, setup_view
from webmap.reach import unit_within
from webmap.rights import Action
from webmap.routes import ApiError, answer, body_of, told
from webmap.services import Services
from webmap.upload_site import add_uploads

FILES = {
    "join.js": "text/javascript", "join_words.js": "text/javascript", "dom.js": "text/javascript",
    "i18n.js": "text/javascript", "boot.js": "text/javascript", "tokens.css": "text/css", "join.css": "text/css",
    "icon.svg": "image/svg+xml", "work_identity.js": "text/javascript",
}  # fmt: skip
"""All that the page loads; no other file of the console is here."""


def make_join(services: Services) -> tuple[Front, Front]:
    """What is put at ``/join`` and at ``/api`` of the field's site; uploads are there too."""
    files = {name: (STATIC / name).read_bytes() for name in FILES}
    html = (STATIC / "join.html").read_bytes()
    pages, api = Klein(), Klein()

    @pages.route("/", strict_slashes=False)
    def page(request: Any) -> bytes:
        request.setHeader("content-type", "text/html; charset=utf-8")
        request.setHeader("cache-control", "no-cache")
        return html

    @pages.route("/<string:name>")
    def file(request: Any, name: str) -> Any:
        if name not in files:
            return notFound()
        request.setHeader("content-type", f"{FILES[name]}; charset=utf-8")
        request.setHeader("cache-control", "no-cache")
        return files[name]

    async def join(request: Any) -> bytes:
        given = body_of(request, LIMIT)
        if not isinstance(given, dict):
            raise ApiError(422, "bad_join", "send secret or code, and base", "请提供 secret 或 code，以及 base")
        base, now = base_of(given.get("base")), services.wall()
        secret, code = (str(given.get(name) or "").strip() for name in ("secret", "code"))
        enrolments = services.enrolments
        offer = (
            enrolments.take_secret(secret, now) if secret
            else enrolments.take_digits("".join(code.split()), address_of(request), now)
        )  # fmt: skip
        try:
            view = await enrol(services, offer, base, given.get("own"))
        except BaseException:
            enrolments.failed(offer)
            raise
        return answer(request, view, 201)

    api.route("/v1/join", methods=["POST"])(told(join))
    add_uploads(api, services)
    return Front(pages, ()), Front(api, ())


async def enrol(services: Services, offer: Offer, base: str, own: Any) -> dict[str, Any]:
    """Give the phone to the code's unit; answers what the phone is told, once."""
    intake, roster, token = services.intake, services.intake.roster, new_token()
    before: list[Device | None] = []

    def plan() -> tuple[Device, list[Change]]:
        if not still_given(services, offer):
            raise void()
        before.append(proved(roster, offer.app, own))
        now = services.wall()
        return plan_enrolment(roster, offer.unit, offer.app, now, hashed(token), shift=offer.shift, own=before[-1])

    device = await intake.change(plan)
    services.enrolments.used(offer, device.id)
    again = before[-1] is not None  # then it is set up already
    secret = token if CATALOGUE[offer.app].secret else None
    view: dict[str, Any] = {
        "device": device.id, "app": offer.app, "title": CATALOGUE[offer.app].title,
        "name": roster.units[offer.unit].name, "shift": offer.shift, "again": again,
        "secret": None if again else secret or device.external_id, "setup": None, "config": None,
    }  # fmt: skip
    if again:
        return view
    if offer.app in APPS:
        view["setup"] = setup_view(offer.app, base, device.external_id, secret)
    else:
        socket = f"{base.replace('http', 'ws', 1)}/handheld"
        config = {"server": socket, "device": device.external_id, "token": token}
        view["config"] = json.dumps(config, ensure_ascii=False, indent=2)
    return view


def still_given(services: Services, offer: Offer) -> bool:
    """Whether who made the code may give the unit a phone yet: a right that has ended leaves no code behind."""
    giver = services.accounts.get(offer.by)
    if giver is None or giver.disabled:
        return False
    return unit_within(services.intake.roster, giver.who().scope(Action.ENROL), offer.unit) is not None


def proved(roster: Roster, app: str, own: Any) -> Device | None:
    """The device that the phone says it is already, if it proves it."""
    if not isinstance(own, dict):
        return None
    device = roster.devices.get(DeviceId(str(own.get("device"))))
    told = str(own.get("secret"))
    if device is None or device.protocol != app or device.revoked:
        return None
    if CATALOGUE[app].secret:
        return device if accepts(device, told) else None
    same = hmac.compare_digest(device.external_id.encode(), told.encode("utf-8", "surrogatepass"))
    return device if same and not device.networks else None
