from __future__ import annotations

import logging

import pytest

from tests.integration.runtime.world import World

logging.getLogger("kafka").setLevel(logging.ERROR)


@pytest.fixture
def world(broker, topic_prefix, tmp_path) -> World:
    return World(broker.bootstrap_servers, topic_prefix, tmp_path)
