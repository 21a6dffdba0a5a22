"""Told to stop while something long is done, a process leaves it, whatever the code in between catches."""

from __future__ import annotations

import signal

import pytest

from smartblood.stopping import Stopped, stop_event


def test_what_catches_every_error_does_not_catch_a_stop() -> None:
    def unpickle() -> str:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Exception:  # noqa: BLE001 - as a reader of artefacts does
            return "holds no model"
        return "not stopped"

    with stop_event() as stop, pytest.raises(Stopped), stop.at_once():
        pytest.fail(unpickle())


def test_a_stop_outside_of_such_a_block_is_only_noted() -> None:
    with stop_event() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        with pytest.raises(Stopped), stop.at_once():
            pytest.fail("it was told to stop before")
