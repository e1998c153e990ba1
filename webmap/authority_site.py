"""The authority's page and certificate on a site: ``/ca`` and ``/ca.crt``."""

from __future__ import annotations

from typing import Any

from twisted.web.resource import Resource

from webmap.authority_page import HOST, AuthorityPage

HEADERS = (b"accept-language", b"user-agent")


class AuthorityFiles(Resource):
    """Both of them, for whoever asks: they hold nothing that is not told in every handshake."""

    isLeaf = True

    def __init__(self, page: AuthorityPage) -> None:
        super().__init__()
        self._page = page

    def render_GET(self, request: Any) -> bytes:
        host = (request.getHeader(b"host") or b"").decode("latin-1")
        if not HOST.fullmatch(host):
            here = request.getHost()
            host = f"{here.host}:{here.port}"
        told = {name.decode(): (request.getHeader(name) or b"").decode("latin-1") for name in HEADERS}
        reply = self._page.answer(request.uri.decode("latin-1"), host, told)
        request.setResponseCode(reply.status)
        for name, value in reply.headers.items():
            request.setHeader(name, value)
        return reply.body
