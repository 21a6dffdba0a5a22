"""Told to stop while something long is done, a process leaves it, whatever the code in between catches."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from smartblood.stopping import Stopped, stop_event
from tests.nursery import started


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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux which signals a process catches")
@pytest.mark.parametrize("arguments", [["matching"], ["donor-state", "recording"]])
def test_a_processor_that_waits_for_its_broker_stops_cleanly(tmp_path, arguments) -> None:
    nobody = os.environ | {"SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    with (tmp_path / "said").open("wb") as said:
        waiting = started("smartblood", "run", *arguments, env=nobody, output=said)
    give_up_at = time.monotonic() + 20
    while not _catches(waiting.pid, signal.SIGTERM):
        assert time.monotonic() < give_up_at, "SIGTERM would end it on the spot"
        time.sleep(0.05)
    waiting.terminate()
    assert waiting.wait(10) == 0
    assert (tmp_path / "said").read_text() == ""


def _catches(pid: int, number: int) -> bool:
    (caught,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt")]
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
