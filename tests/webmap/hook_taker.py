"""The other side of webhooks, for tests: takes what comes over a real socket, checks the signature, and answers as it
is told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

SECRET = b"0123456789abcdef0123456789abcdef"


def verified(headers: Any, body: bytes, secret: bytes) -> Any:
    """The message, if it is from whoever knows the secret; as docs/webhooks.md shows it."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    if not any(hmac.compare_digest(expected, each) for each in headers["webhook-signature"].encode().split()):
        raise ValueError("the signature is not right")
    return json.loads(body)


class Taker:
    """``status`` is what it answers; ``taken`` what it has answered with 2xx, each as (id, message)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.secret_file = folder / "hook-secret.txt"
        self.secret_file.write_text("whsec_" + base64.b64encode(SECRET).decode())
        self.status = 204
        self.taken: list[tuple[str, Any]] = []
        self.wrong: list[str] = []
        self.tries = 0
        taker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                taker.tries += 1
                try:
                    message = verified(self.headers, body, SECRET)
                except ValueError as error:
                    taker.wrong.append(str(error))
                    message = None
                status = taker.status
                if 200 <= status < 300:
                    taker.taken.append((self.headers["webhook-id"], message))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.settings = {
            "url": f"http://127.0.0.1:{self._server.server_port}/gridbeat", "secret_file": str(self.secret_file),
        }  # fmt: skip
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def types(self, task: str) -> list[str]:
        """What has been told of a task, in the order in which it came; what came again is not told again."""
        seen: dict[str, str] = {}
        for id, message in self.taken:
            if message["data"].get("task") == task:
                seen.setdefault(id, message["type"])
        return list(seen.values())
