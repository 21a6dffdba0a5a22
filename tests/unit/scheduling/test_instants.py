"""Instants that are given by hand: those of which slots can be looked for, and no others."""

from __future__ import annotations

import pytest

from producers.scheduling.schedules import STANDARD
from producers.scheduling.slots import is_slot, latest_slot
from smartblood import cli
from smartblood.cli.schedules import YEARS, Instant


@pytest.mark.parametrize("slot", ["0001-01-01T00:00", "0001-01-01T00:00+05:30", "1970-12-31T00:00", "9999-12-31T23:59"])
def test_an_instant_far_from_any_slot_is_wrong_usage(capsys, slot):
    assert cli.exit_code(["schedules", "fire", "weekly-forecast", "--slot", slot]) == 2
    assert f"'{slot}' is of no year from 1971 to 9899" in capsys.readouterr().err


@pytest.mark.parametrize("text", [f"{YEARS[0]}-01-01T00:00+14:00", f"{YEARS[-1]}-12-31T23:59-12:00"])
def test_around_every_instant_that_is_taken_slots_can_be_looked_for(text):
    at_us = Instant().convert(text, None, None)
    for schedule in STANDARD:
        assert not is_slot(schedule, at_us)
        before = latest_slot(schedule, at_us)
        assert before is not None
        assert before < at_us
