"""Processes stop when asked to, and leave nothing behind however they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from smartblood.local.broker import SETTINGS
from tests.acceptance.outsider import Outsider
from tests.acceptance.system import SMARTBLOOD, STOPS_WITHIN_S, get
from tests.acceptance.tables import Tables
from tests.acceptance.world import DAY, now_us, registration, request
from tests.oracle import worlds
from tests.processes import named, workers

pytestmark = pytest.mark.broker

GIVEN_UP_AFTER_S = int(SETTINGS["group.consumer.session.timeout.ms"]) / 1_000 + 3


def family(worker):
    return psutil.Process(worker.process.pid).children(recursive=True)


def test_sigterm_ends_each_processor_which_leaves_its_group_and_no_process(system, outsider):
    alone = system.run("donor-state", "a")
    several = system.run("matching recording", "b", workers=2)
    system.await_ready(alone, several)
    children = named(family(several), "smartblood worker")
    assert len(children) == 4
    children[0].kill()
    given_up_at = time.monotonic() + GIVEN_UP_AFTER_S
    give_up_at = time.monotonic() + 60
    while children[0].is_running() or len(named(family(several), "smartblood worker")) < 4:
        assert time.monotonic() < give_up_at, several.said
        time.sleep(0.1)
    system.await_ready(several)
    everybody = family(several)
    # Who was killed can't leave its group: the broker gives it up, and from then on whoever is in it is alive.
    time.sleep(max(0.0, given_up_at - time.monotonic()))
    for worker in (alone, several):
        assert worker.stop() < STOPS_WITHIN_S, worker.said
        assert worker.process.returncode == 0, worker.said
    assert [process for process in everybody if process.is_running()] == []
    states = {name: outsider.group_state(name) for name in ("donor-state", "matching", "recording")}
    assert set(states.values()) <= {"Empty", "Dead"}, states
    assert outsider.what_is_open() == []


@pytest.fixture
def up(tmp_path):
    """``smartblood up`` with nothing set; its addresses."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SMARTBLOOD_")}
    log = (tmp_path / "up.log").open("wb")
    process = subprocess.Popen(
        [*SMARTBLOOD, "up", "--data", "kept"], cwd=tmp_path, env=clean, stdout=subprocess.PIPE, stderr=log, text=True
    )
    yield process
    if process.poll() is None:
        process.kill()
    log.close()


def test_up_answers_survives_a_killed_processor_and_leaves_nothing_behind(up, tmp_path):
    where = json.loads(up.stdout.readline())
    assert set(where) == {"kafka", "database", "http", "metrics"}
    outsider, tables, rng, now = Outsider(where["kafka"], ""), Tables(where["database"]), worlds.generator(76), now_us()
    status, body = get(f"{where['metrics']}/metrics")
    assert status == 200
    assert "smartblood_ready" in body
    assert [get(f"{where['metrics']}/{path}")[0] for path in ("healthz", "readyz")] == [200, 200]

    outsider.send("donor-registered", 42, registration(rng, 42, blood_group="O_POS", at=now - 400 * DAY))
    outsider.flush()
    outsider.await_group("donor-state", "donor-registered")
    (matching,) = workers(up.pid, "matching")
    matching.kill()
    outsider.send("blood-request-created", 7, request(rng, 7, at=now, blood_group="O_POS"))
    outsider.flush()
    reader = outsider.reader("matches")
    reader.until(lambda: reader.seen["matches"], within_s=60, what="a match of the processor that was started again")
    tables.until("SELECT count(*) FROM match_predictions", lambda n: n == 1, within_s=30)
    outsider.close()

    everybody = psutil.Process(up.pid).children(recursive=True)
    assert len(everybody) > 5
    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=30) == 0, (tmp_path / "up.log").read_text()
    assert psutil.wait_procs(everybody, timeout=1)[1] == []
    assert up.stdout.read() == ""
