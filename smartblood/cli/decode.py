"""``smartblood decode``: records of a topic as JSON lines."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from schemas.catalogue import topics
from smartblood.cli.options import with_settings
from smartblood.cli.reach import await_answer
from smartblood.settings import Settings

if TYPE_CHECKING:
    from schemas.codec import Codec
    from schemas.records import Record


class OffsetOrInstant(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs alone
    """An offset, or an instant as ISO 8601 writes it; without a zone it is UTC."""

    name = "offset or instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:  # noqa: ANN401 - click's
        """Return an int for an offset, a float of seconds since 1970 for an instant."""
        if isinstance(value, int | float):
            return value
        if re.fullmatch(r"\d{1,18}", value):
            return int(value)
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither an offset nor an instant such as 2026-11-24T10:00:00Z", param, ctx)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()


@click.command()
@click.argument("topic", type=click.Choice(list(topics())), metavar="TOPIC")
@click.option("--from", "start", type=OffsetOrInstant(), help="First offset (of each partition) or instant.")
@click.option("--to", "end", type=OffsetOrInstant(), help="Offset or instant to stop before; else where it ends now.")
@click.option("--max", "n_max", type=click.IntRange(min=1), help="At most so many records.")
@with_settings("kafka_bootstrap_servers", "topic_prefix", "schema_registry_url")
def decode(topic: str, start: float | None, end: float | None, n_max: int | None, settings: Settings) -> None:
    """Print the records of TOPIC as JSON lines, committed ones only.

    TOPIC is a name of the contract, such as matches; the prefix is added. Instants and days are written by the
    calendar, numbers that are none (NaN) as null. Dead letters are shown as they are, with their headers; a header that
    is there several times has a list of values.
    """
    from smartblood.kafka.client import Cluster  # noqa: PLC0415 - quick help
    from smartblood.kafka.reader import read_span  # noqa: PLC0415
    from smartblood.kafka.schema_registry import codec_of  # noqa: PLC0415

    await_answer(settings)
    codec = codec_of(settings)
    for record in read_span(Cluster.of(settings), topic, start=start, end=end, n_max=n_max):
        click.echo(json.dumps(shown(record, codec), ensure_ascii=False, allow_nan=False))


def shown(record: Record, codec: Codec) -> dict[str, Any]:
    """Return a record as JSON data; where its value can't be decoded, ``error`` says why, and it is shown raw."""
    from schemas.errors import InvalidRecord  # noqa: PLC0415
    from smartblood.readable import bytes_text, instant_text, readable  # noqa: PLC0415

    line: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": instant_text(record.timestamp_ms * 1000),
        "key": bytes_text(record.key),
        "headers": _headers(record),
    }
    if record.value is None or record.topic == "dead-letters":
        return line | {"value": bytes_text(record.value)}
    try:
        return line | {"value": readable(record.topic, codec.decode(record.topic, record.value))}
    except InvalidRecord as error:
        return line | {"value": bytes_text(record.value), "error": error.reason}


def _headers(record: Record) -> dict[str, Any]:
    """Return a value for each name, or a list in their order where Kafka has the name several times."""
    from smartblood.readable import bytes_text  # noqa: PLC0415 - quick help

    found: dict[str, list[Any]] = {}
    for name, value in record.headers:
        found.setdefault(name, []).append(bytes_text(value))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}
