"""A schema registry that tests can stop and start."""

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
        self.authorization: set[str | None] = set()
        double = self

        class Answering(BaseHTTPRequestHandler):
            def answer(self, status: int, body: dict) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def failing(self) -> bool:
                double.asked.append(f"{self.command} {self.path}")
                double.authorization.add(self.headers.get("Authorization"))
                if double.failures:
                    self.answer(double.failures.pop(0), {})
                    return True
                return False

            def do_GET(self) -> None:
                schema = double.schemas.get(int(self.path.rpartition("/")[2]))
                if not self.failing():
                    self.answer(404, {"error_code": 40403}) if schema is None else self.answer(200, schema)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.failing():
                    number = next((n for n, s in double.schemas.items() if s == body), len(double.schemas) + 1)
                    double.schemas[number] = body
                    self.answer(200, {"id": number})

            def log_message(self, *_: object) -> None:
                pass

        self._answering, self._port = Answering, 0
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
