"""The demo, as a person without a terminal sees it; and that Ctrl-C at any moment leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.broker

SMALL = ["--donors", "500", "--days", "60", "--requests", "12", "--rate", "6"]


def demo(*arguments, **settings):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMARTBLOOD_")}
    command = [sys.executable, "-m", "smartblood", "demo", *SMALL, *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | settings,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - it takes no lock
    )


def heed_ctrl_c():
    """As in a terminal: whatever a shell started in the background inherits that it is to ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_it_ends_by_itself_with_a_summary():
    running = demo()
    said, complained = running.communicate(timeout=180)
    assert running.returncode == 0, complained
    assert len(re.findall(r"^request 1\d{6} ", said, re.MULTILINE)) == 12
    for part in ("requests answered", "event to match", "12 blood_requests", "500 donors", "dead letters", "next"):
        assert part in said, said
    (picture,) = re.findall(r"^Forecast, (\S+): [\d.]+ units of", said, re.MULTILINE)
    assert Path(picture).read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("wait_s", [0.5, 6.0], ids=lambda wait_s: f"after {wait_s} s")
def test_ctrl_c_leaves_no_process_behind(wait_s):
    running = demo("--requests", "100000")
    time.sleep(wait_s)
    children = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    # Before anything was started, the interpreter itself may be what is interrupted.
    assert running.returncode in {0, 130, -signal.SIGINT}


def test_a_broker_that_does_not_answer_is_said_in_one_line():
    running = demo(SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    _, complained = running.communicate(timeout=120)
    assert running.returncode == 3
    assert complained.startswith("smartblood: ")
    assert complained.count("\n") == 1
