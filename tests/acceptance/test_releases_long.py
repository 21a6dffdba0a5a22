"""Versions are released and retired all the while everything else befalls the processes: the long form."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.acceptance import records
from tests.acceptance.chaos import Chaos, Load, plan_of
from tests.acceptance.in_the_end import all_read, await_all_taken_in, wrong_topics
from tests.acceptance.test_releases import FIRST, MODEL, OTHER, models_dir, version_of
from tests.acceptance.wire import plain

__all__ = ["models_dir"]

pytestmark = [pytest.mark.broker, pytest.mark.soak]

ROLES = (("champion",), ("retired",), ("challenger", "--share", "0.5"), ("champion",), ("retired",))
"""What is said of the other version, in turn; where it is retired, the first is champion again."""

PLAN = plan_of(release=8, kill=10, stop=1, sleep=1, join=1, break_broker=1, break_postgres=1, cut_power=1)


class Releasing(Chaos):
    """A release among what befalls the workers."""

    n_released = 0

    def _release(self) -> None:
        role = ROLES[self.n_released % len(ROLES)]
        self.n_released += 1
        self._say(" ".join(role))
        self.system.command("models", "release", MODEL, OTHER, "--role", *role)


@pytest.fixture(scope="module")
def broker(own_broker):
    """Not the one that all share: it is killed."""
    return own_broker


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_releases_amid_everything_leave_one_right_answer_for_each_request(
    make_system, models_dir, broker, postgres, seed
):
    system = make_system(SMARTBLOOD_MODELS_DIR=str(models_dir))
    outsider, publisher = system.outsider(), system.outsider()
    chaos = Releasing(system, broker, postgres, seed)
    chaos.start("a", "b")
    load = Load(publisher, seed, n_donors=200, rate=40)
    load.publish_donors()
    load.start()
    chaos.go_on(list(PLAN), 2.5)
    load.stop()
    await_all_taken_in(outsider)
    chaos.check_alive()
    seen = all_read(outsider)
    report = [*wrong_topics(outsider, seen), *records.once_right(system.tables(), seen, within_s=60)]
    assert report == [], "\n".join([*report[:20], *chaos.log])
    answers = [plain(one.event) for one in seen["matches"]]
    made_by = Counter(version_of(one["models"]) for one in answers)
    assert made_by.keys() == {FIRST, OTHER}, made_by
    assert min(made_by.values()) > 5, made_by
    system.stop()
    outsider.close()
    publisher.close()
