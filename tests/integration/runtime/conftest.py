from __future__ import annotations

import pytest

from smartblood.local.broker import LocalBroker
from tests.integration.runtime.world import World


@pytest.fixture
def world(broker, topic_prefix) -> World:
    return World(broker.bootstrap_servers, topic_prefix)


@pytest.fixture
def own_broker(tmp_path):
    """A broker that this test may kill."""
    with LocalBroker(tmp_path / "kafka") as running:
        yield running
