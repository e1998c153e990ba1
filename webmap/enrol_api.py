"""The routes with which a seat gives a person any phone: six digits and a link, valid once, and what became of them."""

from __future__ import annotations

from typing import Any

from protocols.phone_setup import APPS
from tracker.catalogue import CATALOGUE
from tracker.device_plans import check_shift
from tracker.enrolment import Offer
from webmap.access import address_of
from webmap.phone_api import base_of, is_local, own_address, qr_svg
from webmap.reach import reached, unit_within
from webmap.rights import Action
from webmap.routes import ApiError, Route, answer, body_of, missing, who_of
from webmap.services import Services

HANDHELD = "handheld"
ENROLLED = (*APPS, HANDHELD)
"""What a phone can be given: the apps that it is set up for by a link, and a handheld app of one's own."""


def add_enrolment(route: Route, services: Services) -> None:
    """Put the routes on the console's app."""
    roster, enrolments, listening = services.intake.roster, services.enrolments, services.listening

    @route("GET", "/api/v1/enrolments", Action.ENROL)
    def door(request: Any) -> bytes:
        bind, port = listening.doors["field"].bind, listening.numbers["field"]
        field = {
            "bind": bind or "0.0.0.0", "port": port, "local": is_local(bind), "address": own_address(),
            "tls": listening.doors["field"].tls,
        }  # fmt: skip
        apps = [{"protocol": app, "title": CATALOGUE[app].title} for app in ENROLLED]
        return answer(request, {"now": services.wall(), "door": field, "apps": apps})

    @route("POST", "/api/v1/units/<string:unit>/enrolment", Action.ENROL)
    def offer(request: Any, unit: str) -> bytes:
        identity, given = reached(services, request, Action.ENROL, unit), body_of(request)
        given = given if isinstance(given, dict) else {}
        app, shift = given.get("app"), given.get("shift", False)
        if app not in ENROLLED or type(shift) is not bool:
            known = ", ".join(ENROLLED)
            raise ApiError(422, "bad_app", f"send app, one of {known}, and shift if you like", f"app 须为 {known} 之一")
        base = base_of(given.get("base"))
        if shift:
            check_shift(roster, identity)
        who = who_of(request)
        made = enrolments.offer(identity, app, who.name, services.wall(), shift=shift)
        services.access.looked(who, "grant", identity, address=address_of(request), app=app)
        link = f"{base}/join#{made.secret}"
        shown = {"digits": made.digits, "link": link, "qr": qr_svg(link)}
        return answer(request, offer_view(made) | shown, 201)

    def known(request: Any, id: str) -> Offer:
        found = enrolments.get(id, services.wall())
        if found is None or unit_within(roster, who_of(request).scope(Action.ENROL), found.unit) is None:
            raise missing("code", "绑定码")
        return found

    @route("GET", "/api/v1/enrolments/<string:enrolment>", Action.ENROL)
    def look(request: Any, enrolment: str) -> bytes:
        return answer(request, offer_view(known(request, enrolment)))

    @route("DELETE", "/api/v1/enrolments/<string:enrolment>", Action.ENROL)
    def withdraw(request: Any, enrolment: str) -> bytes:
        found = known(request, enrolment)
        enrolments.withdraw(found)
        return answer(request, offer_view(found))


def offer_view(offer: Offer) -> dict[str, Any]:
    """A code as its seat sees it, without what opens it. Times in ms since 1970."""
    return {
        "id": offer.id, "unit": offer.unit, "app": offer.app, "shift": offer.shift, "state": offer.state,
        "expires": offer.expires, "typable": offer.typable, "wrong": offer.wrong, "device": offer.device,
    }  # fmt: skip
