"""What stands before every route of the console: what each answer carries, and which requests are turned away unread.

A browser sends its cookie along with whatever a page asks for, also a page of another site. So a request that may
change something and has nothing but a cookie to say who is asking must show that one of our own pages sent it: by
``Origin``, which browsers send with all of these, or by ``Sec-Fetch-Site``. Programs send a token and are not asked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from klein import Klein
from klein.resource import KleinResource

from webmap.page import CONTENT_SECURITY_POLICY
from webmap.routes import ApiError, answer_error, header_of

HEADERS = {
    "server": "Gridbeat",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "geolocation=(self), microphone=(self)",
    "cross-origin-resource-policy": "same-origin",
}
READING = (b"GET", b"HEAD", b"OPTIONS")
"""Methods of routes that change nothing."""


def is_ours(origin: str, host: str, origins: Collection[str], *, secure: bool = False) -> bool:
    """Whether a page of this origin is one of ours, as seen by who was asked for ``host``, or of the accepted
    ``origins``. To who is asked over TLS (``secure``) no page that came without it is: anybody on the way could have
    written it."""
    scheme, _, asked = origin.partition("://")
    if origin in origins:
        return True
    return bool(host) and asked.lower() == host.lower() and not (secure and scheme.lower() != "https")


def is_forged(request: Any, origins: Collection[str]) -> bool:
    """Whether another site's page may have had this sent. Only for requests that can change something."""
    origin, site = request.getHeader(b"origin"), header_of(request, b"sec-fetch-site")
    if origin is not None:
        host = header_of(request, b"host")
        return not is_ours(header_of(request, b"origin"), host, origins, secure=request.isSecure())
    if site:
        return site not in ("same-origin", "none")
    return request.getHeader(b"cookie") is not None and request.getHeader(b"authorization") is None


class Front(KleinResource):
    """The console's routes behind all that."""

    def __init__(self, app: Klein, origins: Collection[str]) -> None:
        super().__init__(app)
        self._origins = origins

    def render(self, request: Any) -> Any:
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        if request.method not in READING and is_forged(request, self._origins):
            text = "this came from another site's page: use the console's own pages, or a token"
            return answer_error(request, ApiError(403, "foreign_origin", text, "请求来自其他网站，已拒绝"))
        return super().render(request)
