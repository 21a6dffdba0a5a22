"""Schema registries for tests: one that can be stopped and started, and one that knows a single schema."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Double:
    """A schema registry in memory, behind real HTTP."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict] = {}
        self.asked: list[str] = []
        self.failures: list[int] = []
        self.is_one = True
        self.has_error_codes = True
        self.authorization: set[str | None] = set()
        self._answering, self._port = type("OfOne", (Answering,), {"double": self}), 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, always on the same port."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._answering)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections; what is registered stays so."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Answering(BaseHTTPRequestHandler):
    """What answers for a `Double`."""

    double: Double

    def answer(self, status: int, body: dict | list) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def failing(self) -> bool:
        self.double.asked.append(f"{self.command} {self.path}")
        self.double.authorization.add(self.headers.get("Authorization"))
        if self.double.failures:
            self.answer(self.double.failures.pop(0), {})
            return True
        return False

    def missing(self) -> None:
        if self.double.is_one and self.double.has_error_codes:
            self.answer(404, {"error_code": 40403})
        else:
            self.send_error(404)

    def do_GET(self) -> None:
        last = self.path.rpartition("/")[2]
        if self.failing():
            return
        if self.double.is_one and last == "subjects":
            self.answer(200, [])
        elif self.double.is_one and last.isdigit() and int(last) in self.double.schemas:
            self.answer(200, self.double.schemas[int(last)])
        else:
            self.missing()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.failing():
            return
        if not self.double.is_one:
            self.missing()
        else:
            number = next((n for n, s in self.double.schemas.items() if s == body), len(self.double.schemas) + 1)
            self.double.schemas[number] = body
            self.answer(200, {"id": number})

    def log_message(self, *_: object) -> None:
        pass


class OneSchema:
    """A registry, without HTTP, that knows a writer's schema by the id 7 and takes none."""

    def __init__(self, schema: dict) -> None:
        self._schema = schema

    def schema(self, schema_id: int) -> dict | None:
        return self._schema if schema_id == 7 else None

    def register(self, subject: str, schema: dict) -> int:
        raise AssertionError(subject, schema)
