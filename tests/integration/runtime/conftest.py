from __future__ import annotations

import logging

import pytest

from smartblood.local.broker import LocalBroker
from tests.integration.runtime.world import World

logging.getLogger("kafka").setLevel(logging.ERROR)


@pytest.fixture
def world(broker, topic_prefix, tmp_path) -> World:
    return World(broker.bootstrap_servers, topic_prefix, tmp_path)


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory):
    """A broker that tests may kill, and start again."""
    with LocalBroker(tmp_path_factory.mktemp("killed")) as running:
        yield running
