"""Leaders that die or are overtaken at each step, and two that both believe to lead: a slot is fired once all the same.

Who leads isn't asked of a group here: each believes that it does, for ever. What the transactional id alone holds is
seen so, and the worst that any group could say.
"""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from producers.scheduling.scheduler import Scheduler
from producers.scheduling.schedules import DAY_US
from schemas.codec import Codec
from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster
from smartblood.kafka.election import Election
from smartblood.scheduling import worker as worker_module
from smartblood.scheduling.worker import Scheduling
from tests.integration.scheduling.compressed import BEGIN_US, SCHEDULES, believed

pytestmark = pytest.mark.broker

STEPS = ("fenced", "restored", "due", "begun", "produced some", "produced", "committed", "kept")
WEEK_US = 7 * DAY_US


class Died(BaseException):
    """The process was killed here."""


class AlwaysLeads:
    owned = settled = True

    def __init__(self, *_):
        pass

    def poll(self, wait_s):
        time.sleep(wait_s)
        return True

    def close(self):
        pass


class Leader:
    """A scheduler that believes to lead, turned by hand."""

    def __init__(self, weeks, name, probe=lambda _: None):
        self.at_us = BEGIN_US
        self.stop = threading.Event()
        self.worker = Scheduling(
            Scheduler(SCHEDULES, Codec()),
            weeks.cluster,
            name,
            clock=believed(lambda: self.at_us),
            poll_s=0.01,
            probe=probe,
            candidate=AlwaysLeads,
        )
        self.worker._stuck = worker_module.StuckDetector(name, 120.0)
        self.worker._patience = worker_module.Patience(self.stop, self.worker._stuck, 1.0)

    def turn(self, at_us=None):
        """One turn; an error is the worker's to deal with, as in its life."""
        self.at_us = at_us or self.at_us
        self.worker._guarded_turn()

    def turns(self, *instants):
        for at_us in instants:
            self.turn(at_us)

    @property
    def leads(self):
        return self.worker._term is not None


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(worker_module, "AFTER_A_TERM_S", 0.0)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_its_successor_completes_what_was_left(weeks, step):
    left = [2 if step in {"due", "begun", "produced some", "produced", "committed", "kept"} else 1]

    def die(at):
        left[0] -= at == step
        if left[0] == 0:
            raise Died

    first = Leader(weeks, "first", die)
    with pytest.raises(Died):
        first.turns(BEGIN_US, BEGIN_US + WEEK_US)
    second = Leader(weeks, "second")
    second.turn(BEGIN_US)  # its clock is behind, too
    second.turn(BEGIN_US + 2 * WEEK_US)
    weeks.assert_exactly_once(BEGIN_US, BEGIN_US + 2 * WEEK_US)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("step", STEPS)
def test_overtaken_at_each_step_it_adds_nothing_when_it_goes_on(weeks, step):
    second = Leader(weeks, "second")
    left = [2 if step in {"due", "begun", "produced some", "produced", "committed", "kept"} else 1]

    def be_overtaken(at):
        left[0] -= at == step
        if left[0] == 0:
            left[0] = -1_000
            second.turns(BEGIN_US, BEGIN_US + WEEK_US)
            assert second.leads

    first = Leader(weeks, "first", be_overtaken)
    first.turns(BEGIN_US, BEGIN_US + WEEK_US)
    assert left[0] < 0, "it was never overtaken"
    first.turns(BEGIN_US + 2 * WEEK_US, BEGIN_US + 2 * WEEK_US)
    second.turn(BEGIN_US + 3 * WEEK_US)
    Leader(weeks, "last").turn(BEGIN_US + 4 * WEEK_US)
    weeks.assert_exactly_once(BEGIN_US, BEGIN_US + 2 * WEEK_US)


def test_a_producer_in_doubt_is_not_made_anew_under_an_outdated_memory(weeks):
    first, second = Leader(weeks, "first"), Leader(weeks, "second")
    first.turn(BEGIN_US)
    second.turn(BEGIN_US + WEEK_US)
    assert first.leads
    assert second.leads
    # as after a stop: its connections are gone when it wakes, and it hears so only as it begins to write
    first.worker._term._transactions._turns[0].doubt = "disconnect"
    first.turn(BEGIN_US + WEEK_US)
    assert not first.leads, "a new producer needs a new memory"
    second.turn(BEGIN_US + 2 * WEEK_US)
    assert second.leads, "nobody took it over"
    weeks.assert_exactly_once(BEGIN_US, BEGIN_US + 2 * WEEK_US)


def test_two_that_both_believe_to_lead_take_it_from_each_other_and_fire_each_slot_once(weeks, monkeypatch):
    monkeypatch.setattr(worker_module, "AFTER_A_TERM_S", 0.3)
    both = [
        Scheduling(
            Scheduler(SCHEDULES, Codec()),
            weeks.cluster,
            name,
            clock=believed(weeks.clock),
            poll_s=0.05,
            candidate=AlwaysLeads,
        )
        for name in ("first", "second")
    ]
    stop, errors = threading.Event(), []

    def run(one):
        try:
            one.run(stop)
        except BaseException as error:  # noqa: BLE001 - a thread's error is looked at below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    time.sleep(8)
    before_us = weeks.clock() - WEEK_US
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not errors
    weeks.assert_exactly_once(BEGIN_US + WEEK_US, before_us)


def test_a_topic_of_several_partitions_is_refused(weeks):
    admin = AdminClient({"bootstrap.servers": weeks.cluster.bootstrap_servers})
    (grown,) = admin.create_partitions([NewPartitions(weeks.cluster.topic("schedule-states"), 2)]).values()
    grown.result(10)
    time.sleep(1)
    with pytest.raises(Fatal, match="has 2 partitions"):
        Election(Cluster(weeks.cluster.bootstrap_servers, weeks.cluster.prefix), "scheduling", "schedule-states", None)
