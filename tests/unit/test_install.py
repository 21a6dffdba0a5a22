"""``make install`` fails with one line that says what is wrong and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path):
    """What the installation reads, in a folder of its own."""
    for name in (".ci/install", "requirements.lock", "pyproject.toml", "smartblood/local/jars.tsv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, tmp_path / name)
    return tmp_path


def _wanted(checkout):
    return subprocess.run(
        ["cksum", "requirements.lock", "pyproject.toml", "smartblood/local/jars.tsv", ".ci/install"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def install(checkout, *arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.run(
        [checkout / ".ci/install", *arguments], env=kept | environment, capture_output=True, text=True, check=False
    )


def test_without_a_way_to_the_package_index_it_says_so(checkout):
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_CACHE_DIR": "1",
        "NO_PROXY": "127.0.0.1",
    }
    done = install(checkout, PYTHON=sys.executable, **nowhere)
    assert done.returncode == 3
    assert "no way to the package index" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stdout + done.stderr
    assert not (checkout / ".venv/.installed").exists()


def test_without_a_python_that_fits_it_says_which_are_missing(checkout):
    done = install(checkout, PYTHON="no-such-python")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "no Python 3.11, 3.12 or 3.13" in done.stderr


def test_what_is_installed_as_locked_is_left_alone(checkout):
    stamp = checkout / ".venv/.installed"
    (checkout / ".venv/bin").mkdir(parents=True)
    shutil.copy("/bin/true", checkout / ".venv/bin/smartblood")
    stamp.write_text(f"{_wanted(checkout)} {checkout}\n")
    done = install(checkout, PYTHON="no-such-python")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert install(checkout, PYTHON="no-such-python").returncode == 3


def test_packages_alone_are_left_alone_too_and_the_rest_follows(checkout):
    """CI checks types while the rest is made: jars, kernels."""
    (checkout / ".venv/bin").mkdir(parents=True)
    program = checkout / ".venv/bin/smartblood"
    program.write_text(f'#!/bin/sh\necho "$@" >>{checkout}/asked\n[ ! -e {checkout}/broken ]\n')
    program.chmod(0o755)
    (checkout / ".venv/.packages").write_text(f"{_wanted(checkout)} {checkout}\n")
    assert install(checkout, "--packages-alone", PYTHON="no-such-python").returncode == 0
    assert not (checkout / "asked").exists()
    (checkout / "broken").touch()
    assert install(checkout, PYTHON="no-such-python").returncode == 3
    (checkout / "broken").unlink()
    assert [install(checkout, PYTHON="no-such-python").returncode for _ in range(2)] == [0, 0]
    assert (checkout / "asked").read_text() == "prepare\nprepare\n", "once in vain, once for all"
    assert install(checkout, "--packages-alone", PYTHON="no-such-python").returncode == 0


def test_the_lock_has_hashes_and_names_no_index():
    for name in ("requirements.lock", "deploy/requirements.lock"):
        text = (CHECKOUT / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        assert all("--hash=sha256:" in entry for entry in text.replace("\\\n", " ").splitlines() if "==" in entry)


def test_what_ci_runs_is_make_test_and_nothing_else():
    lines = [line for line in (CHECKOUT / ".ci/run").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec make test"]
