"""The demo's last act: what hospitals asked for until now, what they will ask for, and a picture of it."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections import Counter, defaultdict
from pathlib import Path

from features.compatibility import group_text
from features.local_time import local_day
from producers.simulator import History
from smartblood.demand.drawing import drawn
from smartblood.kafka.publisher import Publisher
from smartblood.local.jars import local_folder
from smartblood.storage.demand_days import EPOCH, Day, DemandDays

HORIZON_DAYS = 30
WITHIN_S = 60.0


def forecast_shown(history: History, publisher: Publisher, database_url: str, stop: threading.Event) -> str:
    """Bring in the past, trigger a forecast, wait for it, draw it; return what to say of it.

    Raises
    ------
    Fatal, Retryable
        If the picture can't be written, or Postgres doesn't answer.
    """
    record, today = DemandDays(database_url), local_day(history.end)
    try:
        if not record.demand(today):  # of a database that was there before, the past is its own
            record.bring_in(past_days(history))
        at = time.time_ns() // 1_000
        event = {
            "event_id": str(uuid.uuid4()),
            "occurred_at": at,
            "schedule": "demo",
            "slot_at": at,
            "as_of": at,
            "horizon_days": HORIZON_DAYS,
            "districts": [],
        }
        publisher.publish("forecast-triggered", "demo", event, at // 1_000)
        publisher.flush()
        known = record.demand(today)
        most = max(known, key=lambda one: sum(one.units), default=None)
        if most is None:
            return "none: nothing was asked for before today"
        district, group = most.district, most.blood_group
        give_up_s = time.monotonic() + WITHIN_S
        while not _is_there(record, district, group, at):
            if stop.is_set() or time.monotonic() > give_up_s:
                return f"none within {WITHIN_S:.0f} s; see the log"
            stop.wait(0.1)
    finally:
        record.close()
    return drawn(database_url, district, group, _place())


def past_days(history: History) -> list[Day]:
    """Return what was asked for and given on each day before the last, by district and group."""
    given = Counter(history.asks.request[history.asks.gave].tolist())
    found: defaultdict[tuple[str, str, dt.date], list[int]] = defaultdict(lambda: [0, 0])
    for place, event in enumerate(history.requests.event):
        day = local_day(int(str(event["occurred_at"])))
        group = group_text(str(event["blood_group"]))
        if day < local_day(history.end) and group != "unknown":
            n_units = int(str(event["units_required"]))
            units = found[str(event["district"]), group, EPOCH + dt.timedelta(day)]
            units[0] += n_units
            units[1] += min(n_units, given[place])
    return [(*key, requested, fulfilled) for key, (requested, fulfilled) in sorted(found.items())]


def _is_there(record: DemandDays, district: str, group: str, at: int) -> bool:
    days = record.forecast(district, group)
    return bool(days) and round(days[0].as_of.timestamp() * 1_000_000) >= at


def _place() -> Path:
    folder = local_folder() / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "forecast.png"
