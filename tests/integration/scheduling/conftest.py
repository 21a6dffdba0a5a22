from __future__ import annotations

import pytest

from tests.integration.scheduling.weeks import Weeks


@pytest.fixture
def weeks(broker, topic_prefix, tmp_path):
    found = Weeks(broker.bootstrap_servers, topic_prefix, tmp_path)
    try:
        yield found
    finally:
        found.end()
