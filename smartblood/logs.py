"""Structured logs on stderr, for a person or for a machine.

Nothing that is logged carries a name, a deferral or another fact of anybody's health: places of records
(topic, partition, offset), kinds and counts are enough to find what is meant. Where a line is about one request,
``request_id`` is bound to it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, TextIO, cast

from schemas.catalogue import topics
from schemas.records import Record

# structlog imports rich where it can, for tracebacks that are drawn nowhere here; that is half of what a process of
# ours would spend on importing its logs, and everything that runs imports them.
_HIDDEN = "rich" not in sys.modules
if _HIDDEN:
    sys.modules["rich"] = None  # type: ignore[assignment]
try:
    import structlog
    from structlog.typing import FilteringBoundLogger, Processor
finally:
    if _HIDDEN:
        del sys.modules["rich"]

LogFormat = Literal["console", "json"]

SAID_AGAIN_AFTER_S = 10.0


def configure(log_format: LogFormat = "console", *, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up the process's logs; called once, where a process begins.

    Parameters
    ----------
    log_format : {"console", "json"}
        For a person, or one JSON object a line.
    level : str
        The lowest level that is written.
    stream : text file, optional
        Where to; stderr unless given.
    """
    out = stream or cast("TextIO", _Stderr())
    structlog.configure(
        processors=[*_shared(), *_rendering(log_format, out)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def logger(**bound: Any) -> FilteringBoundLogger:  # noqa: ANN401 - whatever a line is to say
    """Return a logger that says ``bound`` on each line.

    Where nobody configured logs, a command's output is what counts: warnings alone, on stderr.
    """
    if not structlog.is_configured():
        configure(level="warning")
    return cast("FilteringBoundLogger", structlog.get_logger().bind(**bound))


def place(record: Record) -> dict[str, Any]:
    """Return what a line says about a record: where it lies, and its request's id where it is about one."""
    found: dict[str, Any] = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    of_request = record.topic in topics() and topics()[record.topic].key == "request"
    if of_request and record.key is not None and record.key.isdigit() and len(record.key) <= 20:
        found["request_id"] = int(record.key)
    return found


class ClientLog:
    """Takes librdkafka's own log lines (it asks for ``log`` alone) into ours, a few of each kind.

    A broker that is away makes each connection say so many times a second; one line in ten seconds says as much.

    Parameters
    ----------
    log : logger
        Where lines go.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, log: FilteringBoundLogger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said_at: dict[str, float] = {}
        self._n_left_out: Counter[str] = Counter()

    def log(self, level: int, text: str, *arguments: object) -> None:
        """Write one line of librdkafka's, unless one of its kind was just written."""
        kind, now = str(arguments[0]) if arguments else text, self._clock()
        if now - self._said_at.get(kind, -SAID_AGAIN_AFTER_S) < SAID_AGAIN_AFTER_S:
            self._n_left_out[kind] += 1
            return
        self._said_at[kind] = now
        left_out = {"n_left_out": self._n_left_out.pop(kind)} if kind in self._n_left_out else {}
        self._log.log(level, "kafka client", said=text % arguments if arguments else text, **left_out)


class _Stderr:
    """Whatever ``sys.stderr`` is when a line is written, not when logs were set up."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _rendering(log_format: LogFormat, out: TextIO) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(colors=out.isatty())]
