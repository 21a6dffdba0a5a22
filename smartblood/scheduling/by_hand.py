"""Firing by hand, and what was fired lately: apart from whoever leads, whose memory is left alone."""

from __future__ import annotations

from collections.abc import Sequence

from consumers.validation import checked
from producers.scheduling.cron import instant
from producers.scheduling.scheduler import Scheduler
from producers.scheduling.schedules import STANDARD, Schedule
from producers.scheduling.slots import can_be_slot, is_slot, latest_slot
from producers.scheduling.triggers import FORECASTS, MAINTENANCE, STATES, topic_of, trigger_of
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Event
from smartblood.errors import WrongUsage
from smartblood.kafka.client import Cluster
from smartblood.kafka.publisher import Publisher
from smartblood.kafka.reader import read_span

MINUTE_US = 60_000_000


def last_fired(cluster: Cluster, codec: Codec) -> dict[str, int]:
    """Return the slot of the latest trigger of each schedule, by hand or not, as the topics have them.

    Raises
    ------
    Fatal
        If there are no such topics, or Kafka refuses.
    Retryable
        If the brokers don't answer.
    """
    found: dict[str, int] = {}
    for topic in (FORECASTS, MAINTENANCE):
        for record in read_span(cluster, topic):
            try:
                event = checked(record, codec.decode(topic, record.value or b""))
            except InvalidRecord:  # it is for its readers to refuse
                continue
            if not can_be_slot(event["slot_at"]):
                continue
            found[event["schedule"]] = max(found.get(event["schedule"], 0), event["slot_at"])
    return found


def fire(
    cluster: Cluster, codec: Codec, schedule: Schedule, at_us: int, slot_us: int | None = None
) -> tuple[Event, int]:
    """Publish a trigger by hand; return it and its slot.

    Without ``slot_us`` it is of the minute in which it is fired, so that firing again at once repeats the same event,
    which its readers drop. Otherwise the trigger of that slot is published, under the id that it has in any case:
    again, or for the first time where the slot was passed over.

    Raises
    ------
    WrongUsage
        If ``slot_us`` is none of the schedule's slots, or whoever leads fires it yet.
    Fatal, Retryable
        As ``last_fired``.
    """
    if slot_us is None:
        slot_us = at_us - at_us % MINUTE_US
        event = trigger_of(schedule, slot_us, by_hand=True)
    else:
        _check_slot(cluster, codec, schedule, at_us, slot_us)
        event = trigger_of(schedule, slot_us)
    with Publisher(cluster, codec, linger_ms=0) as publisher:
        publisher.publish(topic_of(schedule), schedule.name, event, at_us // 1_000)
    return event, slot_us


def _check_slot(cluster: Cluster, codec: Codec, schedule: Schedule, at_us: int, slot_us: int) -> None:
    if not is_slot(schedule, slot_us):
        before = latest_slot(schedule, slot_us)
        nearest = f"; the one before is {_text(before)}" if before is not None else ""
        message = f"{_text(slot_us)} is no slot of {schedule.name} (`{schedule.cron}`, {schedule.time_zone}){nearest}"
        raise WrongUsage(message)
    known = Scheduler((schedule,), codec)
    known.restore(read_span(cluster, STATES))
    settled_us = known.settled_us(schedule.name)
    if slot_us > (at_us if settled_us is None else settled_us):
        message = f"{_text(slot_us)} of {schedule.name} is still to come: whoever leads fires it, and fires it once"
        raise WrongUsage(message)


def named(schedules: Sequence[Schedule], name: str) -> Schedule:
    """Return the schedule of a name.

    Raises
    ------
    WrongUsage
        If there is none.
    """
    for schedule in schedules:
        if schedule.name == name:
            return schedule
    if name in {schedule.name for schedule in STANDARD}:
        message = f"schedule {name!r} isn't enabled: enable it in the file of schedules to fire it"
        raise WrongUsage(message)
    there = ", ".join(schedule.name for schedule in schedules)
    message = f"there is no schedule {name!r}; {f'there are {there}' if there else 'none is enabled'}"
    raise WrongUsage(message)


def _text(at_us: int) -> str:
    return instant(at_us).isoformat()
