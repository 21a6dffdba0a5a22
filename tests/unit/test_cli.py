"""The program says how it is used, and fails with one line and the right exit code."""

from __future__ import annotations

import errno
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import click
import pytest

from smartblood import cli
from smartblood.errors import Fatal, Retryable
from smartblood.kafka import client
from smartblood.kafka.client import Cluster

ROOT = Path(__file__).parents[2]
HEAVY = ("numba", "lightgbm", "pandas", "sklearn", "sqlalchemy", "confluent_kafka", "prometheus_client", "h3")


def commands(group=cli.smartblood, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("path", "command"), [pytest.param(*found, id=" ".join(found[0])) for found in commands()])
def test_every_command_says_what_it_does_and_every_flag_names_its_variable(path, command):
    assert command.help, path
    context = click.Context(command, info_name=path[-1], auto_envvar_prefix="SMARTBLOOD_" + "_".join(path).upper())
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            shown = parameter.get_help_record(context)[1]
            assert parameter.help, (path, parameter.name)
            assert "env var: SMARTBLOOD_" in shown, (path, parameter.name)


def test_the_version_is_that_of_the_package_also_where_it_is_not_installed(monkeypatch, capsys):
    def not_installed(_):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", not_installed)
    assert cli.exit_code(["--version"]) == 0
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert capsys.readouterr().out.split()[-1] == stated


@pytest.mark.parametrize("command", [["demo"], ["train", "donor_seeker_match"], ["simulate"]])
def test_a_seed_below_zero_is_wrong_usage(command, capsys):
    assert cli.exit_code([*command, "--seed", "-1"]) == 2
    assert "--seed" in capsys.readouterr().err


MAKERS = {
    "group_consumer": ("matching", print, print),
    "reader": ("matching", print),
    "transactional_producer": ("x", print),
    "plain_producer": (print,),
    "admin": (),
}
NO_AUTHORITY = {"security.protocol": "ssl", "ssl.ca.location": "/nowhere"}


@pytest.mark.parametrize(
    ("make", "properties"),
    [
        *((make, properties) for make in MAKERS for properties in ({"foo": "1"}, NO_AUTHORITY)),
        ("group_consumer", {"session.timeout.ms": "6000"}),
        ("plain_producer", {"retries": "0"}),
    ],
)
def test_a_property_that_the_client_refuses_is_fatal(make, properties):
    with pytest.raises(Fatal, match="SMARTBLOOD_KAFKA_"):
        getattr(client, make)(Cluster("127.0.0.1:9", properties=properties), *MAKERS[make])


def test_help_imports_nothing_heavy():
    program = (
        "import sys\nfrom smartblood.cli import exit_code\n"
        "for a in [['--help'], *[[n, '--help'] for n in sys.argv[1:]]]:\n    assert exit_code(a) == 0, a\n"
        f"sys.exit(','.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    )
    names = cli.smartblood.list_commands(click.Context(cli.smartblood))
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert done.returncode == 0


def _failing(error):
    @click.command()
    def failing():
        raise error

    return failing


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (Fatal("the port\nis taken"), 3, "smartblood: the port is taken\n"),
        (Retryable("no broker answers"), 3, "smartblood: no broker answers\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 3, "can't write to /data/x: No space left"),
        (click.UsageError("no such thing"), 2, "no such thing"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_failures_are_one_line_and_a_code(error, code, text, monkeypatch, capfd):
    monkeypatch.setattr(cli, "smartblood", _failing(error))
    assert cli.exit_code([]) == code
    said = capfd.readouterr().err
    assert text in said
    assert "Traceback" not in said


def test_a_bug_shows_its_traceback(monkeypatch, capfd):
    monkeypatch.setattr(cli, "smartblood", _failing(ZeroDivisionError()))
    assert cli.exit_code([]) == 3
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["run", "nobody"], ["run", "matching", "--workers", "0"]])
def test_wrong_usage_is_2(arguments, capfd):
    assert cli.exit_code(arguments) == 2
    assert capfd.readouterr().err


def test_a_flag_that_makes_no_sense_is_wrong_usage_but_a_variable_is_a_bad_setting(monkeypatch, capfd):
    assert cli.exit_code(["run", "matching", "--topic-prefix", "a/b"]) == 2
    assert "--topic-prefix" in capfd.readouterr().err
    monkeypatch.setenv("SMARTBLOOD_TOPIC_PREFIX", "a/b")
    assert cli.exit_code(["run", "matching"]) == 3
    assert capfd.readouterr().err.startswith("smartblood: SMARTBLOOD_TOPIC_PREFIX: ")
