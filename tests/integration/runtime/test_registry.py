"""The loop waits for a schema registry that is down when it begins: nothing is refused, everything is answered."""

from __future__ import annotations

import threading
import time

import pytest

from consumers.donor_state import DonorState
from schemas.codec import Codec
from smartblood.kafka.loop import Loop
from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, HttpRegistry, codec_of
from smartblood.settings import load
from tests.integration.runtime.world import World, wait_until
from tests.registry_double import Double
from tests.unit.donor_state.histories import START, profile

pytestmark = pytest.mark.broker


def test_a_registry_that_is_down_is_waited_for(world: World) -> None:
    registry = Double()
    codec = Codec(HttpRegistry(registry.url))
    for donor_id in range(30):
        said = profile(START, donor_id, donor_id=donor_id)
        value = codec.encode(said.topic, said.event)
        world.send(said.topic, str(donor_id), value=value, timestamp=said.timestamp_ms)
    world.flush()
    registry.stop()
    stop = threading.Event()
    loop = Loop(
        DonorState(codec_of(load(schema_registry_url=registry.url), patience_s=LOOP_PATIENCE_S)), world.cluster, "w0"
    )
    running = threading.Thread(target=loop.run, args=(stop,))
    running.start()
    try:
        time.sleep(5)
        assert running.is_alive()
        registry.failures = [503] * 3
        registry.start()
        wait_until(lambda: world.n_answered() == 30)
    finally:
        stop.set()
        running.join(10)
        registry.stop()
    assert not running.is_alive()
    assert world.records("dead-letters") == []
