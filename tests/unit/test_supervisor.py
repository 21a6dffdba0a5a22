"""Workers are watched, started again, and never outlive their supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from smartblood.errors import Fatal
from smartblood.local import children
from smartblood.probes import of_all_processes, ready_workers
from smartblood.settings import load
from smartblood.supervisor import FIRST_WAIT_S, Supervisor

READY = """
import os, signal, sys, time
from smartblood.metrics import READY
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
READY.labels(sys.argv[-1], os.environ["SMARTBLOOD_SLOT"]).set(1)
while True:  # a signal that comes right before a sleep is heard of after it
    time.sleep(0.05)
"""


def supervisor(tmp_path, program, workers=(("matching", "a"),), said=None):
    tmp_path.joinpath("metrics").mkdir()
    say = (said if said is not None else []).append
    return Supervisor(workers, load(), tmp_path / "metrics", say, partial(start, program))


def start(program, arguments, *, env):
    return children.spawn([sys.executable, "-c", program, *arguments], env=env)


def until(what, within_s=20.0):
    give_up_at_s = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.02)


def test_each_worker_has_a_slot_of_its_own_and_is_ready_when_it_says_so(tmp_path):
    watched = supervisor(tmp_path, READY, [("matching", "a"), ("matching", "b"), ("donor-state", "a")])
    watched.start()
    try:
        assert set(watched.unready()) <= {"matching/a", "matching/b", "donor-state/a"}
        until(lambda: not list(watched.unready()))
        assert watched.was_ready
    finally:
        watched.stop()


def test_names_that_share_a_process_are_ready_together(tmp_path):
    both = """
import os, signal, sys, time
from smartblood.metrics import READY
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
for name in sys.argv[-2:]:
    READY.labels(name, os.environ["SMARTBLOOD_SLOT"]).set(1)
    while name == "scheduling" and not os.path.exists(sys.argv[-3] + "-go"):
        time.sleep(0.02)
while True:
    time.sleep(0.05)
"""
    watched = supervisor(tmp_path, both, [("scheduling+recording", "a")])
    watched.start()
    (child,) = watched._children
    try:
        until(lambda: ("scheduling", "a") in ready_workers(of_all_processes(watched.metrics_folder)()))
        assert list(watched.unready()) == ["scheduling+recording/a"]
        (tmp_path / "metrics" / "begin-go").touch()
        until(lambda: not list(watched.unready()))
        assert child.process.args[-2:] == ["scheduling", "recording"]
    finally:
        watched.stop()


def test_a_killed_worker_is_not_ready_and_is_started_again_at_once_then_more_slowly(tmp_path):
    said = []
    watched = supervisor(tmp_path, READY, said=said)
    watched.start()
    (child,) = watched._children
    try:
        until(lambda: not list(watched.unready()))
        for n_killed in (1, 2):
            child.process.kill()
            child.process.wait()
            until(lambda: watched.tick() or (child.process is not None and child.process.poll() is None))
            assert child.n_restarts == n_killed
            assert list(watched.unready()) == ["matching/a"]
            until(lambda: not list(watched.unready()))
        assert [line.rpartition("started again ")[2] for line in said] == ["at once", f"in {FIRST_WAIT_S} s"]
        assert "died by signal 9" in said[0]
    finally:
        watched.stop()


DOOMED = """
import pathlib, sys
pathlib.Path(sys.argv[2]).write_text("no model")
raise SystemExit(3)
"""


def test_a_worker_that_cannot_work_from_the_start_ends_the_whole(tmp_path):
    watched = supervisor(tmp_path, DOOMED)
    watched.start()
    try:
        with pytest.raises(Fatal, match="matching/a can't work: no model"):
            until(watched.tick)
    finally:
        watched.stop()


def test_once_all_were_ready_it_is_tried_again_from_time_to_time(tmp_path):
    said = []
    watched = supervisor(tmp_path, DOOMED, said=said)
    watched.was_ready = True
    watched.start()
    try:
        until(lambda: watched.tick() or said)
        assert "ended with 3 (no model): started again in 30.0 s" in said[0]
    finally:
        watched.stop()


BREAKS = """
import os, pathlib, signal, sys, time
from smartblood.metrics import READY
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
names = sys.argv[5:]
for name in names:
    READY.labels(name, os.environ["SMARTBLOOD_SLOT"]).set(1)
while not ("forecasting" in names and os.path.exists(sys.argv[4] + "-broken")):
    time.sleep(0.05)
pathlib.Path(sys.argv[2]).write_text("no model")
raise SystemExit(3)
"""


def test_where_one_of_a_shared_process_can_not_work_any_more_the_others_go_on_without_it(tmp_path):
    said = []
    watched = supervisor(tmp_path, BREAKS, [("scheduling+forecasting", "a")], said)
    watched.start()
    try:
        until(lambda: watched.tick() or not list(watched.unready()))
        (tmp_path / "metrics" / "begin-broken").touch()
        until(lambda: watched.tick() or len(said) == 2)
        until(lambda: watched.tick() or list(watched.unready()) == ["forecasting/a"])
        works, broken = watched._children
        assert works.process.poll() is None
        assert (works.label, broken.label, broken.process) == ("scheduling/a", "forecasting/a", None)
        assert said[0].startswith("scheduling+forecasting/a ended with 3 (no model): started again at once, ")
        assert said[1] == "forecasting/a ended with 3 (no model): started again in 30.0 s"
    finally:
        watched.stop()


DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("program", [DEAF, READY])
def test_stopping_takes_no_longer_than_its_limit_even_for_a_worker_that_is_deaf_or_halted(tmp_path, program):
    said = []
    watched = supervisor(tmp_path, program, said=said)
    watched.start()
    (child,) = watched._children
    time.sleep(1.0 if program is DEAF else 0.0)
    process = child.process
    if program is READY:
        until(lambda: not list(watched.unready()))
        process.send_signal(signal.SIGSTOP)
    # The deaf one is ended at the limit; one that was halted is woken, and ends by itself well before.
    watched.stop(within_s=2.0 if program is DEAF else 30.0)
    assert process.returncode == (-signal.SIGKILL if program is DEAF else 0)
    assert bool(said) == (program is DEAF)


SUPERVISES = """
import sys, time
from pathlib import Path
from smartblood.settings import load
from smartblood.local import children
from smartblood.supervisor import Supervisor

def start(arguments, *, env):
    return children.spawn([sys.executable, "-c", "import time; time.sleep(600)"], env=env)

watched = Supervisor([("a", "1"), ("b", "1")], load(), Path(sys.argv[1]), print, start)
watched.start()
print(*(child.process.pid for child in watched._children), flush=True)
time.sleep(600)
"""


def test_workers_die_with_a_supervisor_that_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", SUPERVISES, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert psutil.wait_procs(workers, timeout=5)[1] == []
