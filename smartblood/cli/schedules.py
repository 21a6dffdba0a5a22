"""``smartblood schedules``: what comes next, and what is fired by hand."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from smartblood.cli.options import with_settings
from smartblood.cli.reach import await_answer
from smartblood.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from producers.scheduling.schedules import Schedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = range(1971, 9900)
"""Of instants: slots are looked for some years before and after, and no date lies outside of 1 to 9999."""

CONNECTING = ("kafka_bootstrap_servers", "topic_prefix", "schema_registry_url", "schedules_file")


class Instant(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs alone
    """An instant as ISO 8601 writes it, of a year in which slots can be looked for; without a zone it is UTC."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 - click's
        """Return microseconds since 1970."""
        if isinstance(value, int):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no instant such as 2026-11-30T05:00:00+05:30", param, ctx)
        if at.year not in YEARS:
            self.fail(f"{value!r} is of no year from {YEARS[0]} to {YEARS[-1]}", param, ctx)
        return ((at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


@click.group()
def schedules() -> None:
    """Schedules: what comes next, and one fired by hand."""


@schedules.command("list")
@click.option("--next", "n_next", default=3, type=click.IntRange(1, 1_000), help="How many slots to come of each.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@with_settings(*CONNECTING)
def list_schedules(n_next: int, as_json: bool, settings: Settings) -> None:
    """Print the next slots of each schedule, in its local time and in UTC, and the slot that was fired last.

    What was fired last is read from the topics; where no broker is named it isn't known.
    """
    from smartblood.scheduling.file import schedules_in  # noqa: PLC0415 - quick help

    found = schedules_in(settings.schedules_file)
    fired = _last_fired(settings)
    rows = [_row(schedule, fired, time.time_ns() // 1_000, n_next) for schedule in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False))
        return
    if fired is None:
        click.echo("what was fired last isn't known: no Kafka broker is named (--kafka)", err=True)
    click.echo("\n".join(_table(rows)))


@schedules.command()
@click.argument("name")
@click.option("--slot", "slot_us", type=Instant(), help="The slot whose trigger is published again.  [default: now]")
@with_settings(*CONNECTING)
def fire(name: str, slot_us: int | None, settings: Settings) -> None:
    """Fire the schedule NAME by hand, once, beside whoever leads: no slot to come is touched by it.

    The trigger is of the minute in which it is fired; fired twice in a minute it is the same event, which readers drop.
    With --slot it is the trigger of that past slot, under the id that it has in any case: again, or for the first time
    where it was passed over.
    """
    from producers.scheduling.cron import instant  # noqa: PLC0415 - quick help
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.schema_registry import codec_of  # noqa: PLC0415
    from smartblood.scheduling import by_hand  # noqa: PLC0415
    from smartblood.scheduling.file import schedules_in  # noqa: PLC0415

    schedule = by_hand.named(schedules_in(settings.schedules_file), name)
    await_answer(settings)
    now_us = time.time_ns() // 1_000
    event, at_us = by_hand.fire(Cluster.of(settings), codec_of(settings), schedule, now_us, slot_us)
    click.echo(f"fired {name}, slot {_utc(instant(at_us))}, event {event['event_id']}")


def _last_fired(settings: Settings) -> Mapping[str, int] | None:
    if not settings.kafka_bootstrap_servers:
        return None
    from smartblood.kafka.client import Cluster  # noqa: PLC0415 - quick help
    from smartblood.kafka.schema_registry import codec_of  # noqa: PLC0415
    from smartblood.scheduling.by_hand import last_fired  # noqa: PLC0415

    await_answer(settings)
    return last_fired(Cluster.of(settings), codec_of(settings))


def _row(schedule: Schedule, fired: Mapping[str, int] | None, now_us: int, n_next: int) -> dict[str, Any]:
    from producers.scheduling.slots import slots_after  # noqa: PLC0415 - quick help

    last_us = (fired or {}).get(schedule.name)
    return {
        "name": schedule.name,
        "triggers": "maintenance" if schedule.triggers is None else "forecast",
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "catch_up": schedule.catch_up.value,
        "greatest_age_days": schedule.greatest_age_days,
        "horizon_days": None if schedule.triggers is None else schedule.triggers.horizon_days,
        "districts": None if schedule.triggers is None else list(schedule.triggers.districts),
        "last_fired": None if last_us is None else _slot(schedule, last_us),
        "next": [_slot(schedule, slot_us) for slot_us in islice(slots_after(schedule, now_us), n_next)],
    }


def _slot(schedule: Schedule, slot_us: int) -> dict[str, str]:
    from producers.scheduling.cron import instant  # noqa: PLC0415 - quick help

    at = instant(slot_us)
    return {"local": at.astimezone(schedule.zone).isoformat(), "utc": _utc(at)}


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    cells = [("SCHEDULE", "SLOT", "LOCAL", "UTC")]
    for row in rows:
        slots = [
            ("last fired", row["last_fired"]),
            *(("next" if not n else "", at) for n, at in enumerate(row["next"])),
        ]
        for n, (what, at) in enumerate(slots):
            name = row["name"] if not n else f"  {row['cron']} {row['time_zone']}" if n == 1 else ""
            local = f"{datetime.fromisoformat(at['local']):%a %Y-%m-%d %H:%M} {at['local'][19:]}" if at else "-"
            cells.append((name, what, local, at["utc"] if at else "-"))
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    return [
        "  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3])) for row in cells
    ]


def _utc(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
