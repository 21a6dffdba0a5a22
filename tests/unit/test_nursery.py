"""Workers are forked from a process that has imported all, and are processes like any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from smartblood.nursery import GONE, Nursery
from smartblood.preloading import OF_NAME
from tests.processes import command

ROOT = Path(__file__).parents[2]
NURSLING = "tests.unit.nursling"


@pytest.fixture
def nursery(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Nursery(["scheduling"]) as there:
        yield there


def spawn(nursery, folder, *arguments, **environment):
    said = folder / "said"
    with said.open("wb") as out, folder.joinpath("stderr").open("wb") as errors:
        child = nursery.spawn(
            NURSLING, arguments, env=environment, cwd=folder, stdout=out.fileno(), stderr=errors.fileno()
        )
    return child, said


def test_a_child_has_arguments_environment_folder_and_outputs_of_its_own(nursery, tmp_path):
    child, said = spawn(nursery, tmp_path, "tell", "a b", SMARTBLOOD_SLOT="c")
    assert child.wait(60) == child.poll() == child.returncode == 0
    told = json.loads(said.read_text())
    assert told["environment"] == {"SMARTBLOOD_SLOT": "c"}
    assert (told["arguments"], told["folder"], told["session"]) == (["a b"], str(tmp_path), True)
    assert (told["threads"], told["imported"]) == (1, [])
    assert (tmp_path / "stderr").read_text() == "said\n"


@pytest.mark.parametrize("code", [0, 3])
def test_its_exit_code_is_told(nursery, tmp_path, code):
    child, _ = spawn(nursery, tmp_path, "end", str(code))
    assert child.wait(60) == code


def test_it_is_called_as_what_it_is_and_gets_signals(nursery, tmp_path):
    child, said = spawn(nursery, tmp_path, "wait", "for me")
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.01)
    until(lambda: said.read_text() == "here\n")
    assert command(psutil.Process(child.pid)).endswith(f" -m {NURSLING} wait for me")
    child.terminate()
    assert child.wait(60) == -signal.SIGTERM
    child.kill()  # of no use any more, and no error


def test_one_that_ends_before_all_is_imported_is_followed_by_another(nursery, tmp_path):
    os.kill(nursery._process.pid, signal.SIGSTOP)
    lost = nursery.spawn(NURSLING, ["wait"], env={})
    assert lost.poll() is None
    os.kill(nursery._process.pid, signal.SIGKILL)
    assert lost.wait(60) == GONE
    with pytest.raises(ChildProcessError):
        _ = lost.pid
    lost.send_signal(signal.SIGTERM)
    child, _ = spawn(nursery, tmp_path, "end", "0")
    assert child.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_like_all_processes_around_it_leaves_that_to_its_children(nursery, tmp_path, number):
    child, said = spawn(nursery, tmp_path, "wait")
    until(lambda: said.read_text() == "here\n")
    os.kill(nursery._process.pid, number)
    assert nursery.spawn(NURSLING, ["end", "3"], env={}, stderr=1).wait(60) == 3
    assert child.poll() is None
    child.send_signal(number)
    assert child.wait(60) == -number


def test_one_that_is_told_to_end_before_it_is_born_never_works(nursery, tmp_path):
    os.kill(nursery._process.pid, signal.SIGSTOP)
    with (tmp_path / "said").open("wb") as said:
        called_off = nursery.spawn(NURSLING, ["wait"], env={}, stdout=said.fileno())
        called_off.send_signal(signal.SIGCONT)
        assert called_off.poll() is None
        called_off.terminate()
        assert called_off.wait(0) == -signal.SIGTERM
        os.kill(nursery._process.pid, signal.SIGCONT)
        until(lambda: not psutil.pid_exists(called_off.pid))
    assert nursery.spawn(NURSLING, ["end", "3"], env={}, stderr=1).wait(60) == 3
    assert called_off.poll() == -signal.SIGTERM


def test_asked_in_the_moment_of_its_end_it_loses_nobody_unsaid(nursery):
    nursery._process.kill()
    asked = [nursery.spawn(NURSLING, ["end", "0"], env={}, stderr=1) for _ in range(20)]
    assert {child.wait(60) for child in asked} <= {0, GONE}
    assert nursery.spawn(NURSLING, ["end", "0"], env={}, stderr=1).wait(60) == 0


SPAWNS = f"""
import sys, time
from smartblood.nursery import Nursery
with Nursery(["scheduling"]) as nursery:
    children = [nursery.spawn({NURSLING!r}, ["wait"], env={{}}, stdout=2) for _ in range(2)]
    print(nursery._process.pid, *(child.pid for child in children), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("killed", [0, 1])
def test_children_die_with_their_nursery_and_with_whoever_started_that(killed):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", SPAWNS], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = parent.stdout.readline()
        nursery, *children = (psutil.Process(int(pid)) for pid in line.split())
        os.kill([parent.pid, nursery.pid][killed], signal.SIGKILL)
        assert psutil.wait_procs(children, timeout=20)[1] == []
    finally:
        parent.kill()
        parent.wait()


def test_what_all_processors_need_is_there_before_they_are_born_but_not_where_metrics_go(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Nursery([*OF_NAME]) as everything:
        child, said = spawn(everything, tmp_path, "tell")
        assert child.wait(60) == 0
    told = json.loads(said.read_text())
    assert told["imported"] == ["numba", "consumers.matching"]
    assert told["threads"] == 1


def until(what, within_s=20.0):
    give_up_at_s = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.02)
