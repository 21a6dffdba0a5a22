"""What ``make install`` does after the packages: jars are fetched while kernels compile; either says its trouble."""

from __future__ import annotations

import signal

import pytest

from smartblood import cli
from smartblood.errors import Fatal
from smartblood.local import children, jars, warm


@pytest.fixture
def started(monkeypatch):
    """The children that were started."""
    found, spawn = [], children.spawn

    def watched(*arguments, **more):
        found.append(spawn(*arguments, **more))
        return found[-1]

    monkeypatch.setattr(children, "spawn", watched)
    return found


def test_where_jars_cannot_be_had_nobody_waits_for_kernels(started, monkeypatch, capfd):
    def fetch(*_, **__):
        message = "can't fetch a jar: check the network"
        raise Fatal(message)

    monkeypatch.setattr(jars, "fetch", fetch)
    assert cli.exit_code(["prepare"]) == 3
    assert capfd.readouterr().err == "smartblood: can't fetch a jar: check the network\n"
    assert [child.poll() in {-signal.SIGTERM, -signal.SIGKILL} for child in started] == [True]


def test_kernels_that_cannot_be_compiled_are_one_line_and_3(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(jars, "fetch", lambda *_, **__: [])
    monkeypatch.setattr(warm, "warm", lambda _: True)
    assert cli.exit_code(["prepare", "--models-dir", str(tmp_path / "none")]) == 3
    said = capfd.readouterr().err
    assert said.startswith("smartblood: ")
    assert said.count("\n") == 1
    assert str(tmp_path / "none") in said


def test_both_done_it_says_how_many_jars(started, monkeypatch, capfd):
    monkeypatch.setattr(jars, "fetch", lambda *_, **__: [])
    monkeypatch.setattr(warm, "warm", lambda _: True)
    assert cli.exit_code(["prepare"]) == 0
    assert capfd.readouterr().err == f"0 jars in {jars.default_folder()}, every digest as locked\n"
    assert [child.poll() for child in started] == [0]
