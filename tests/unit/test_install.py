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


def install(checkout, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.run(
        [checkout / ".ci/install"], env=kept | environment, capture_output=True, text=True, check=False
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
    wanted = subprocess.run(
        ["cksum", "requirements.lock", "pyproject.toml", "smartblood/local/jars.tsv", ".ci/install"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    stamp.write_text(f"{wanted} {checkout}\n")
    done = install(checkout, PYTHON="no-such-python")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert install(checkout, PYTHON="no-such-python").returncode == 3


def test_the_lock_has_hashes_and_names_no_index():
    for name in ("requirements.lock", "deploy/requirements.lock"):
        text = (CHECKOUT / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        assert all("--hash=sha256:" in entry for entry in text.replace("\\\n", " ").splitlines() if "==" in entry)


def test_what_ci_runs_is_make_test_and_nothing_else():
    lines = [line for line in (CHECKOUT / ".ci/run").read_text().splitlines() if not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "exec make test"]
