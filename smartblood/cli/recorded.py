"""Flags that say which recorded topics are learned from, and the events that they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from smartblood.cli.decode import OffsetOrInstant
from smartblood.cli.reach import await_answer
from smartblood.settings import Settings

if TYPE_CHECKING:
    from schemas.records import Record
    from smartblood.kafka.reader import Bound, Span, Spans
    from smartblood.training.replaying import Recording

TOPICS = ("blood-request-created", "blood-request-closed", "donor-registered", "donation-recorded", "donor-responded")
PROFILES = "donor-registered"

KAFKA = ("kafka_bootstrap_servers", "topic_prefix", "schema_registry_url")

Command = Callable[..., Any]
Say = Callable[[str], None]


class Range(NamedTuple):
    """Of a topic, or of one partition of it, from where and before where."""

    topic: str
    partition: int | None
    span: Span


class RangeType(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs alone
    """``TOPIC[/PARTITION]=FROM..TO``: offsets or instants; either may be left out."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Range:  # noqa: ANN401 - click's
        """Return what was meant."""
        if isinstance(value, Range):
            return value
        found = re.fullmatch(r"([a-z-]+)(?:/(\d{1,6}))?=(.*?)\.\.(.*)", value)
        if found is None or found[1] not in TOPICS:
            self.fail(f"{value!r}: write it as donor-responded/0=100..2500, of {', '.join(TOPICS)}", param, ctx)
        first, last = (OffsetOrInstant().convert(text, param, ctx) if text else None for text in found.groups()[2:])
        return Range(found[1], None if found[2] is None else int(found[2]), (first, last))


_BOUNDS = (
    click.option("--from", "start", type=OffsetOrInstant(), help="First instant (or offset) that is read of topics."),
    click.option("--to", "end", type=OffsetOrInstant(), help="Instant (or offset) to stop before; else the present."),
    click.option(
        "--range",
        "ranges",
        multiple=True,
        type=RangeType(),
        help="TOPIC[/PARTITION]=FROM..TO, where one is to be read otherwise; may be given again.",
    ),
)


def bounds(command: Command) -> Command:
    """Give a command the flags that bound what is read of topics: ``start``, ``end``, ``ranges``."""
    for option in reversed(_BOUNDS):
        command = option(command)
    return command


def recorded_flags(command: Command) -> Command:
    """Give a command the flags that name recorded topics: ``from_topics``, ``folders`` and ``bounds``."""
    of_files = click.option(
        "--from-files",
        "folders",
        multiple=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder that `topics keep` wrote; of several all is read.",
    )
    of_topics = click.option("--from-topics", is_flag=True, help="What Kafka's topics recorded.")
    return of_topics(bounds(of_files(command)))


class Asked(NamedTuple):
    """What the flags said."""

    from_topics: bool
    start: Bound
    end: Bound
    ranges: tuple[Range, ...]
    folders: tuple[Path, ...]

    @property
    def is_recorded(self) -> bool:
        """Whether recorded topics were named at all.

        Raises
        ------
        click.UsageError
            If the flags contradict each other.
        """
        if self.from_topics and self.folders:
            message = "--from-topics and --from-files: one of them"
            raise click.UsageError(message)
        if not self.from_topics and (self.start, self.end, self.ranges) != (None, None, ()):
            message = "--from, --to and --range bound what --from-topics reads"
            raise click.UsageError(message)
        return bool(self.from_topics or self.folders)


def recording_of(asked: Asked, settings: Settings, say: Say) -> Recording:
    """Return what was recorded; of topics all is read before this returns.

    Raises
    ------
    Fatal
        If a folder or a topic isn't there, or can't be read.
    Retryable
        If the brokers don't answer.
    """
    from smartblood.kafka.schema_registry import codec_of  # noqa: PLC0415 - quick help
    from smartblood.training.recorded import Reading, read_kept  # noqa: PLC0415
    from smartblood.training.replaying import Recording  # noqa: PLC0415

    if asked.folders:
        kept = read_kept(asked.folders)
        return Recording(kept.items, lambda: {"files": kept.files}, kept.ends_at)
    records, spans = read_topics(asked, settings, say)
    reading = Reading(codec_of(settings))
    return Recording(reading.items(records), lambda: {"topics": reading.told(spans)}, instant_of(asked.end))


def read_topics(asked: Asked, settings: Settings, say: Say) -> tuple[list[Record], Spans]:
    """Return what the topics hold between the bounds, in order, and which offsets that was.

    Profiles are read from their beginning, wherever the rest begins, unless a range says otherwise: nobody is known
    without.

    Raises
    ------
    Fatal, Retryable
        As ``recording_of``.
    """
    from smartblood.kafka.client import Cluster  # noqa: PLC0415 - quick help
    from smartblood.kafka.reader import read_spans, spans_of  # noqa: PLC0415
    from smartblood.training.recorded import in_order  # noqa: PLC0415

    await_answer(settings)
    cluster = Cluster.of(settings)
    spans: Spans = {}
    records: list[Record] = []
    for topic in TOPICS:
        of = [one for one in asked.ranges if one.topic == topic]
        span = next((one.span for one in of if one.partition is None), None)
        found = spans_of(
            cluster,
            topic,
            span or (None if topic == PROFILES else asked.start, asked.end),
            {one.partition: one.span for one in of if one.partition is not None},
        )
        say(f"reading {sum(last - first for first, last in found.values()):,} offsets of {topic}")
        records += list(read_spans(cluster, found))
        spans |= found
    return in_order(records), spans


def instant_of(bound: Bound) -> int | None:
    """Return the instant of a bound, microseconds; None of an offset or of none."""
    return round(bound * 1_000_000) if isinstance(bound, float) else None
