"""A worker is killed, stopped or told to stop, or its broker is killed; see ``test_crash_points`` for each step."""

from __future__ import annotations

import signal
import time

import pytest

from tests.integration.runtime.world import World, wait_until

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_killed_worker_is_replaced_by_another_with_the_same_memory(world: World, protocol: str) -> None:
    world.send_some(50)
    with world.worker(
        "w0", "--protocol", protocol, "--die-at", "offsets sent", "--after", "2", "--records-max", "20"
    ) as first:
        assert first.wait(60) == -signal.SIGKILL
        with world.worker("w1", "--protocol", protocol):
            world.send_some(50)
            # what w0 left open holds its partitions up until its slot comes back or its time is over
            with world.worker("w0", "--protocol", protocol):
                world.wait_answered(60)
                world.assert_exactly_once()


def test_a_worker_stopped_until_it_was_given_up_adds_nothing_when_it_wakes(world: World) -> None:
    world.send_some(30)
    with world.worker("w0") as sleeper:
        world.wait_answered()
        sleeper.send_signal(signal.SIGSTOP)
        with world.worker("w1"):
            world.send_some(30)
            world.wait_answered(60)
            sleeper.send_signal(signal.SIGCONT)
            world.send_some(60)
            world.wait_answered(60)
            world.assert_exactly_once()
            assert sleeper.poll() is None, "it goes on as a member like any other"


def test_broker_killed_and_restarted_under_load(own_broker, topic_prefix, tmp_path) -> None:
    world = World(own_broker.bootstrap_servers, topic_prefix, tmp_path)
    with world.worker("w0", "--records-max", "5") as worker:
        for _ in range(2):
            world.send_some(40)
            wait_until(lambda: world.n_answered() > 0)
            world.send_some(40)
            own_broker.kill()
            own_broker.restart()
        world.wait_answered(90)
        world.assert_exactly_once()
        assert worker.poll() is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_told_to_stop_while_the_broker_is_gone_it_stops_in_time(own_broker, topic_prefix, tmp_path, number) -> None:
    world = World(own_broker.bootstrap_servers, topic_prefix, tmp_path)
    with world.worker("w0", "--records-max", "5") as worker:
        world.send_some(40)
        world.wait_answered()
        world.send_some(400)
        own_broker.process.send_signal(number)
        time.sleep(1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    own_broker.process.send_signal(signal.SIGCONT)
    own_broker.restart()
    with world.worker("w0"):
        world.wait_answered(60)
        world.assert_exactly_once()
