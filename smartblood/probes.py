"""What Prometheus and whoever runs the process ask it over HTTP: ``/metrics``, ``/healthz``, ``/readyz``."""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from prometheus_client import REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from smartblood.errors import Fatal
from smartblood.local.ports import LOOPBACK, free_port, is_free
from smartblood.settings import host_and_port

PORT = 9464
"""Where metrics are served on loopback unless an address is set, or this port is taken."""

N_TRIES = 5
UNREADABLE = (OSError, RuntimeError, ValueError, struct.error)
"""What reading a file raises while its owner makes or enlarges it."""

READY_GAUGE = "smartblood_ready"

Registries = Callable[[], CollectorRegistry]


def of_this_process() -> CollectorRegistry:
    """Return the metrics of this process alone."""
    return REGISTRY


def of_all_processes(folder: Path) -> Registries:
    """Return a function that reads the metrics that this process and its children keep as files in ``folder``."""

    def read() -> CollectorRegistry:
        registry = CollectorRegistry()
        registry.register(_Files(folder))
        return registry

    return read


class _Files(Collector):
    """The metrics that processes keep as files, read while they are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all files; a file that can't be read now is waited for, then left out."""
        for _ in range(N_TRIES):
            try:
                return _merged(self._paths())
            except UNREADABLE:
                time.sleep(0.005)
        return _merged([path for path in self._paths() if _is_readable(path)])

    def _paths(self) -> list[Path]:
        # A process that dies as it makes its file leaves an empty one for ever.
        return [path for path in self._folder.glob("*.db") if path.stat().st_size > 0]


def _merged(paths: list[Path]) -> Iterable[Metric]:
    return list(MultiProcessCollector.merge([str(path) for path in paths]))  # type: ignore[no-untyped-call]


def _is_readable(path: Path) -> bool:
    try:
        _merged([path])
    except UNREADABLE:
        return False
    return True


def ready_workers(registry: CollectorRegistry) -> set[tuple[str, str]]:
    """Return the (processor, slot) pairs whose gauge says that they answer records."""
    return {
        (sample.labels["processor"], sample.labels["slot"])
        for family in registry.collect()
        if family.name == READY_GAUGE
        for sample in family.samples
        if sample.value == 1
    }


def chosen_address(address: str | None) -> tuple[str, int]:
    """Return where to listen: what is set; else port 9464 on loopback, or a free port where that is taken."""
    if address is not None:
        host, port = host_and_port(address)
        return host, port or free_port()
    return LOOPBACK, PORT if is_free(PORT) else free_port()


class Probes:
    """Serves the three paths in a thread of its own.

    Parameters
    ----------
    address : str or None
        ``host:port``; see ``chosen_address``.
    registries : callable
        Returns the registry to be shown, at each asking.
    unready : callable
        Returns what isn't ready yet; nothing where all is.
    """

    def __init__(
        self,
        address: str | None,
        *,
        registries: Registries = of_this_process,
        unready: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._host, self._port = chosen_address(address)
        self._registries = registries
        self._unready = unready
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The base of the three paths."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        Fatal
            If something else listens there.
        """
        try:
            self._server = ThreadingHTTPServer((self._host, self._port), _answering(self._answers))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"port {self._port} on {self._host} is taken, metrics can't be served there; set another by "
                message += "SMARTBLOOD_METRICS_ADDRESS"
            else:
                message = f"can't serve metrics on {self._host}:{self._port}: {error.strerror or error}; "
                message += "set another address by SMARTBLOOD_METRICS_ADDRESS"
            raise Fatal(message) from error
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="probes", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        """Begin to listen."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self.stop()

    @property
    def _answers(self) -> Mapping[str, Callable[[], tuple[HTTPStatus, str, bytes]]]:
        return {"/": self._metrics, "/metrics": self._metrics, "/healthz": _healthy, "/readyz": self._readiness}

    def _metrics(self) -> tuple[HTTPStatus, str, bytes]:
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registries())

    def _readiness(self) -> tuple[HTTPStatus, str, bytes]:
        unready = sorted(self._unready())
        if unready:
            text = "".join(f"not ready: {name}\n" for name in unready)
            return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text.encode()
        return HTTPStatus.OK, "text/plain; charset=utf-8", b"ready\n"


def _healthy() -> tuple[HTTPStatus, str, bytes]:
    return HTTPStatus.OK, "text/plain; charset=utf-8", b"alive\n"


def _answering(
    answers: Mapping[str, Callable[[], tuple[HTTPStatus, str, bytes]]],
) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        """Answers GET and HEAD for known paths."""

        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            if answer is None:
                status, kind, body = HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"no such path\n"
            else:
                status, kind, body = answer()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server's

        def log_message(self, *_: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    return Answering
