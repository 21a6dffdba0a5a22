"""What a slot makes of itself: its trigger, and the memory that it is settled.

Nothing in them depends on a clock: ``slot_at``, ``as_of`` and ``occurred_at`` are the slot's instant, and an id is
derived from schedule and slot. When a record was really written, its Kafka timestamp says.
"""

from __future__ import annotations

from producers.scheduling.cron import instant
from producers.scheduling.schedules import Schedule
from schemas.identifiers import derived_event_id
from schemas.records import Event

FORECASTS = "forecast-triggered"
MAINTENANCE = "maintenance-triggered"
STATES = "schedule-states"


def topic_of(schedule: Schedule) -> str:
    """Return the topic of a schedule's triggers."""
    return MAINTENANCE if schedule.triggers is None else FORECASTS


def trigger_of(schedule: Schedule, slot_us: int, *, by_hand: bool = False) -> Event:
    """Return the trigger of a slot.

    What is fired ``by_hand`` has an id of its own, also where it falls onto a slot.
    """
    event: dict[str, object] = {
        "event_id": derived_event_id(topic_of(schedule), _text_of(schedule, slot_us) + ("/by hand" if by_hand else "")),
        "occurred_at": slot_us,
        "schedule": schedule.name,
        "slot_at": slot_us,
    }
    if schedule.triggers is not None:
        event |= {
            "as_of": slot_us,
            "horizon_days": schedule.triggers.horizon_days,
            "districts": list(schedule.triggers.districts),
        }
    return event


def state_of(schedule: Schedule, slot_us: int) -> Event:
    """Return the memory that a schedule's slots up to this one are settled."""
    return {
        "event_id": derived_event_id(STATES, _text_of(schedule, slot_us)),
        "occurred_at": slot_us,
        "schedule": schedule.name,
        "slot_at": slot_us,
    }


def _text_of(schedule: Schedule, slot_us: int) -> str:
    """Return what is unique about a slot: its schedule, and its instant in UTC."""
    return f"{schedule.name}/{instant(slot_us).isoformat()}"
