"""The command line: one program, one module for each group of commands.

Exit codes: 0 done; 1 the answer is no (a check failed); 2 wrong usage; 3 it could not work, and one line on stderr says
why and what to do.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from smartblood import __version__, dot_env
from smartblood.errors import Fatal, Retryable

COULD_NOT_WORK = 3

# Each command is imported when it is asked for, and its module imports what is heavy when it runs: so `--help` and
# wrong usage answer at once.
COMMANDS = {
    "up": "smartblood.cli.up:up",
    "run": "smartblood.cli.run:run",
    "worker": "smartblood.cli.run:worker",
    "simulate": "smartblood.cli.simulate:simulate",
    "demo": "smartblood.cli.demo:demo",
    "decode": "smartblood.cli.decode:decode",
    "topics": "smartblood.cli.topics:topics",
    "db": "smartblood.cli.db:db",
    "demand": "smartblood.cli.demand:demand",
    "forecast": "smartblood.cli.forecast:forecast",
    "models": "smartblood.cli.models:models",
    "train": "smartblood.cli.train:train",
    "evaluate": "smartblood.cli.evaluate:evaluate",
    "backtest": "smartblood.cli.backtest:backtest",
    "check": "smartblood.cli.check:check",
    "prepare": "smartblood.cli.prepare:prepare",
}


class Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table is ours
        _show_variables(command)
        return command


def _show_variables(command: click.Command) -> None:
    """Let every flag's help name its variable: the setting's, or one made of the command's and its own name."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            parameter.show_envvar = True
    for part in getattr(command, "commands", {}).values():
        _show_variables(part)


@click.group(
    cls=Commands,
    context_settings={
        "auto_envvar_prefix": dot_env.PREFIX.rstrip("_"),
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.version_option(version=__version__)
def smartblood() -> None:
    """Blood requests in, ranked and lawful donor matches out, exactly once, over Kafka.

    Settings come from the environment (SMARTBLOOD_...) or a file .env; each flag names its variable.
    """
    dot_env.into_environment()  # before the command's own flags are read


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    sys.exit(exit_code(sys.argv[1:] if arguments is None else arguments))


def exit_code(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code."""
    try:
        code = smartblood.main(list(arguments), prog_name="smartblood", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has read enough
        return 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:  # noqa: BLE001 - the last one to hear of it
        return _could_not_work(error)
    return code if isinstance(code, int) else 0


def _could_not_work(error: Exception) -> int:
    if isinstance(error, Fatal):
        return _say(str(error), error.exit_code)
    if isinstance(error, Retryable):
        return _say(str(error))
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
        return _say(f"can't write{f' to {error.filename}' if error.filename else ''}: {error.strerror}; make room")
    traceback.print_exception(error)  # a bug: this is its report
    return COULD_NOT_WORK


def _say(text: str, code: int = COULD_NOT_WORK) -> int:
    click.echo(f"smartblood: {' '.join(text.split())}", err=True)
    return code
