"""Schedulers are killed, and stopped and continued, while weeks go by in seconds: one trigger for each slot."""

from __future__ import annotations

import random
import signal
import time

import pytest

from producers.scheduling.schedules import DAY_US
from tests.integration.scheduling.compressed import BEGIN_US
from tests.integration.scheduling.weeks import Weeks, wait_until

pytestmark = pytest.mark.broker

STOPPED_S = 8.0
"""A stopped one is given up after 6 s."""

WEEK_US = 7 * DAY_US


def stopped_and_continued(weeks: Weeks, slot: str) -> None:
    """Stop a worker until it was given up and another leads, then let it go on as if nothing had been."""
    weeks.disturb(slot)
    weeks.workers[slot].send_signal(signal.SIGSTOP)
    began_s = time.monotonic()
    wait_until(lambda: weeks.leader() != slot)
    time.sleep(max(0.0, STOPPED_S - (time.monotonic() - began_s)))
    weeks.workers[slot].send_signal(signal.SIGCONT)
    wait_until(lambda: not weeks.believes_to_lead(slot))


def test_ten_weeks_with_two_schedulers_three_kills_and_a_stop(weeks):
    began_s = time.monotonic()
    weeks.start("a")
    weeks.await_leader()
    weeks.start("b")
    started_us = weeks.clock()
    for successor in ("c", "d"):
        time.sleep(weeks.week_s)
        weeks.kill(weeks.await_leader())
        weeks.await_leader()
        weeks.start(successor)  # who comes may be given the lead
    time.sleep(weeks.week_s)
    stopped_and_continued(weeks, weeks.await_leader())
    weeks.kill(weeks.await_leader())
    weeks.await_leader()
    recovered_us = weeks.clock()
    until_us = max(started_us + 11 * WEEK_US, recovered_us + 5 * WEEK_US)
    wait_until(lambda: weeks.clock() > until_us)  # however long leaders took
    before_us = weeks.clock() - WEEK_US // 2
    weeks.stop()
    n_fired = weeks.assert_exactly_once(started_us, before_us)
    n_far = weeks.assert_latest_fired_far_from_kills(started_us, before_us)
    n_weeks = (before_us - started_us) / WEEK_US
    spent_s = time.monotonic() - began_s
    print(f"{n_weeks:.1f} weeks, {n_fired} triggers, {weeks.n_terms()} terms, {n_far} far from kills, {spent_s:.0f} s")
    assert n_weeks > 10
    assert weeks.n_terms() >= 5
    assert n_far >= 3


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_weeks_with_leaders_killed_and_stopped_at_random(broker, topic_prefix, tmp_path, seed):
    drawn = random.Random(seed)
    weeks = Weeks(broker.bootstrap_servers, topic_prefix, tmp_path, week_s=1.5)
    try:
        for slot in ("a", "b"):
            weeks.start(slot)
        weeks.await_leader()
        started_us, n = weeks.clock(), 0
        while weeks.clock() < BEGIN_US + 200 * WEEK_US:
            time.sleep(drawn.uniform(0.0, 6.0))
            leader = weeks.await_leader()
            victim = leader if drawn.random() < 0.8 else drawn.choice(sorted(weeks.workers))
            if drawn.random() < 0.5:
                weeks.kill(victim)
                time.sleep(drawn.choice((0.0, 0.0, 7.0)))
                weeks.start(f"{victim[0]}{n}")
            elif victim == leader:
                stopped_and_continued(weeks, victim)
            else:
                weeks.disturb(victim)
                weeks.workers[victim].send_signal(signal.SIGSTOP)
                time.sleep(STOPPED_S)
                weeks.workers[victim].send_signal(signal.SIGCONT)
            n += 1
        weeks.await_leader()
        time.sleep(10.0)
        before_us = weeks.clock() - WEEK_US
        weeks.stop()
        n_fired = weeks.assert_exactly_once(started_us, before_us)
        n_far = weeks.assert_latest_fired_far_from_kills(started_us, before_us)
        n_weeks = (before_us - started_us) / WEEK_US
        print(f"{n} kills and stops, {n_weeks:.0f} weeks, {n_fired} triggers, {weeks.n_terms()} terms, {n_far} far")
    finally:
        weeks.end()
