"""Structured logs on stderr, for a person or for a machine.

Nothing that is logged carries a name, a deferral or another fact of anybody's health: places of records
(topic, partition, offset), kinds and counts are enough to find what is meant. Where a line is about one request,
``request_id`` is bound to it.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from schemas.catalogue import topics
from schemas.records import Record

LogFormat = Literal["console", "json"]


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
    out = stream or sys.stderr
    structlog.configure(
        processors=[*_shared(), *_rendering(log_format, out)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def logger(**bound: Any) -> FilteringBoundLogger:  # noqa: ANN401 - whatever a line is to say
    """Return a logger that says ``bound`` on each line."""
    return cast("FilteringBoundLogger", structlog.get_logger().bind(**bound))


def place(record: Record) -> dict[str, Any]:
    """Return what a line says about a record: where it lies, and its request's id where it is about one."""
    found: dict[str, Any] = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    of_request = record.topic in topics() and topics()[record.topic].key == "request"
    if of_request and record.key is not None and record.key.isdigit() and len(record.key) <= 20:
        found["request_id"] = int(record.key)
    return found


class ClientLog:
    """Takes librdkafka's own log lines (it asks for ``log`` alone) into ours."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    def log(self, level: int, text: str, *arguments: object) -> None:
        """Write one line of librdkafka's."""
        self._log.log(level, "kafka client", said=text % arguments if arguments else text)


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
