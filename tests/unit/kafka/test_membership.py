"""Who was given nothing stands by once the coordinator has been there for long enough."""

from __future__ import annotations

import json

import pytest

from smartblood.kafka.membership import STANDS_BY_AFTER_MS, stands_by


@pytest.mark.parametrize(
    ("group", "so"),
    [
        ({"state": "up", "stateage": STANDS_BY_AFTER_MS}, True),
        ({"state": "up", "stateage": STANDS_BY_AFTER_MS - 1}, False),
        ({"state": "wait-coord", "stateage": 60_000}, False),
        ({}, False),
        (None, False),
    ],
)
def test_it_is_told_from_the_state_of_the_coordinator(group, so):
    assert stands_by(json.dumps({} if group is None else {"cgrp": group})) is so
