"""What Prometheus is told of maintenance is what the record says, whoever did it and whether or not it can be done."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import structlog
from prometheus_client import REGISTRY

from schemas.schedules import RELIABILITY, RETENTION
from smartblood import metrics
from smartblood.errors import Retryable
from smartblood.maintenance.watching import Keeping, Maintenance
from smartblood.storage.upkeep import Due
from tests.record_events import AT, MINUTE

DAY = 24 * 60 * MINUTE


@dataclass
class Kept:
    """Stands for the record: of each schedule the slot that is due, and the last that was done."""

    slots: dict[str, tuple[int, int | None]]
    fails: bool = False
    shown: list[int] = field(default_factory=list)

    def put_back(self):
        return []

    def due(self):
        return [Due(name, due) for name, (due, done) in sorted(self.slots.items()) if done is None or done < due]

    def last_done(self):
        return {name: done for name, (_, done) in self.slots.items()}

    def done(self, due):
        self.slots[due.schedule] = (self.slots[due.schedule][0], due.slot_at)

    @contextmanager
    def alone(self):
        yield True

    def refresh_reliability(self, *_):
        if self.fails:
            message = "Postgres doesn't answer"
            raise Retryable(message)

    def fill_actual(self, _):
        return 0

    def delete(self, *_):
        return 0

    def over(self, n_days):
        self.shown.append(n_days)
        return []


@pytest.fixture(autouse=True)
def _nothing_told():
    metrics.MAINTENANCE_DONE.clear()


def maintenance(kept, *, may_work=True):
    return Maintenance(kept, Keeping({"logs": 90}, 365.0), lambda: may_work, structlog.get_logger())


def told(kind):
    return REGISTRY.get_sample_value("smartblood_maintenance_done_seconds", {"kind": kind})


def test_a_restarted_process_tells_what_was_done_before_it_though_it_can_do_nothing():
    kept = Kept({RELIABILITY: (AT, AT - 5 * DAY), RETENTION: (AT, AT)})
    maintenance(kept, may_work=False).look(threading.Event())
    assert (told(RELIABILITY), told(RETENTION)) == ((AT - 5 * DAY) / 1e6, AT / 1e6)


def test_what_was_never_done_is_told_as_0_and_what_fails_stays_as_it_was():
    kept = Kept({RELIABILITY: (AT, None), RETENTION: (AT, AT - DAY)}, fails=True)
    with pytest.raises(Retryable):
        maintenance(kept).look(threading.Event())
    assert (told(RELIABILITY), told(RETENTION)) == (0, AT / 1e6 - DAY / 1e6)


def test_what_was_never_triggered_and_what_is_no_maintenance_is_told_nothing_of():
    maintenance(Kept({"monthly-nonsense": (AT, None)})).look(threading.Event())
    assert [told(kind) for kind in (RELIABILITY, RETENTION, "monthly-nonsense")] == [None] * 3


def test_what_was_done_is_told_at_once_and_accuracy_once_for_each_daily_slot():
    kept = Kept({RELIABILITY: (AT, None), RETENTION: (AT, None)})
    one = maintenance(kept)
    for _ in range(2):
        one.look(threading.Event())
        assert (told(RELIABILITY), told(RETENTION)) == (AT / 1e6, AT / 1e6)
    assert len(kept.shown) == 1
    kept.slots[RETENTION] = (AT + DAY, AT + DAY)  # another worker did it
    one.look(threading.Event())
    assert told(RETENTION) == (AT + DAY) / 1e6
    assert len(kept.shown) == 2
