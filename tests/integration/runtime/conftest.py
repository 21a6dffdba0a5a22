from __future__ import annotations

import logging

import pytest

from smartblood.local.broker import LocalBroker
from tests.integration.runtime.world import World

logging.getLogger("kafka").setLevel(logging.ERROR)


@pytest.fixture
def world(broker, topic_prefix, tmp_path) -> World:
    return World(broker.bootstrap_servers, topic_prefix, tmp_path)


@pytest.fixture
def own_broker(tmp_path):
    """A broker that this test may kill."""
    with LocalBroker(tmp_path / "kafka") as running:
        yield running
