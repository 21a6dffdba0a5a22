"""What ``.env`` says holds for every flag, of the settings and of single commands alike; nothing else of it leaks."""

from __future__ import annotations

import os

import pytest

from smartblood import cli
from smartblood.cli import whole


@pytest.fixture(autouse=True)
def _environment_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def ups(monkeypatch):
    """What `smartblood up` was told, for each time that it ran."""
    told = []
    monkeypatch.setattr(whole, "run", lambda settings, *, data, n_workers: told.append((settings, data, n_workers)))
    return told


def test_a_flag_of_one_command_can_be_set_there(tmp_path, ups):
    (tmp_path / ".env").write_text("SMARTBLOOD_UP_WORKERS=3\nsmartblood_up_data='kept here'\nSMARTBLOOD_SLOT=a\n")
    assert cli.exit_code(["up"]) == 0
    [(settings, data, n_workers)] = ups
    assert (settings.slot, str(data), n_workers) == ("a", "kept here", 3)


def test_the_environment_wins_over_it_and_a_flag_over_both(tmp_path, ups):
    (tmp_path / ".env").write_text("SMARTBLOOD_UP_WORKERS=3\nSMARTBLOOD_UP_DATA=file\n")
    os.environ |= {"SMARTBLOOD_UP_WORKERS": "4", "SMARTBLOOD_UP_DATA": ""}
    assert cli.exit_code(["up"]) == 0
    assert cli.exit_code(["up", "--workers", "5"]) == 0
    assert [(str(data), n_workers) for _, data, n_workers in ups] == [("file", 4), ("file", 5)]


def test_what_it_says_is_checked_like_the_environment(tmp_path, capfd):
    (tmp_path / ".env").write_text("SMARTBLOOD_RUN_WORKERS=0\n")
    assert cli.exit_code(["run", "matching"]) == 2
    assert "0 is not in the range" in capfd.readouterr().err


@pytest.mark.usefixtures("ups")
def test_nothing_else_of_it_gets_into_the_environment(tmp_path):
    (tmp_path / ".env").write_text("HTTP_PROXY_OF_ANOTHER=1\nSMARTBLOODY=1\nSMARTBLOOD_UP_WORKERS=2\n")
    before = set(os.environ)
    assert cli.exit_code(["up"]) == 0
    assert set(os.environ) - before == {"SMARTBLOOD_UP_WORKERS"}


@pytest.mark.parametrize("content", [b"SMARTBLOOD_SLOT=\xff\n", b"SMARTBLOOD_SLOT='a\x00b'\n"])
def test_a_file_that_makes_no_sense_is_one_line_and_exit_code_3(tmp_path, ups, capfd, content):
    (tmp_path / ".env").write_bytes(content)
    assert cli.exit_code(["up"]) == 3
    assert not ups
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("smartblood: .env: ")


def test_a_file_that_may_not_be_read_is_one_line_and_exit_code_3(tmp_path, ups, capfd, monkeypatch):
    def refusing(*_, **__):
        raise PermissionError(13, "Permission denied", ".env")

    (tmp_path / ".env").write_text("SMARTBLOOD_UP_WORKERS=2\n")
    monkeypatch.setattr("dotenv.dotenv_values", refusing)
    assert cli.exit_code(["up"]) == 3
    assert not ups
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("smartblood: .env: can't be read: Permission denied; ")


def test_help_is_given_whatever_it_says(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xff")
    assert cli.exit_code(["--help"]) == 0
