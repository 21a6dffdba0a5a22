"""Command lines and names, as texts say them, held to the program: its own parser reads them, and nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import click
import prometheus_client

import smartblood.metrics
from smartblood.cli import smartblood as program
from smartblood.settings import KAFKA_PREFIX, PREFIX, Settings

PLACEHOLDER = re.compile(r"[A-Z]+(\.[a-z]+)?…?|…")
"""What stands for a value, in place of one: FILE.csv, MODEL, NAME…"""


def fault_of(words: Sequence[str], *, is_mention: bool = False) -> str | None:
    """Return what the program would say against ``smartblood`` followed by ``words``; None where it would begin.

    Of a mention a command's name alone is enough, without what it needs, and so is a group's.
    """
    command, context, left = found(words)
    if command is None:
        return f"no such command: {left[0]}"
    if is_mention and not left:
        return None
    if isinstance(command, click.Group) and not set(left) & {"--help", "--version"}:
        return f"no command: {command.name} {left}"
    try:
        values, extra, _ = command.make_parser(context).parse_args(list(left))
        if extra:
            return f"too many arguments: {extra}"
        for parameter in command.get_params(context):
            _check(parameter, context, values.get(parameter.name))
    except click.ClickException as error:
        return error.format_message()
    return None


def found(words: Sequence[str]) -> tuple[click.Command | None, click.Context, list[str]]:
    """Return the command that ``words`` begin with, and the words after its name; None where there is no such."""
    command: click.Command = program
    context, left = click.Context(program, info_name="smartblood"), list(words)
    while isinstance(command, click.Group) and left and not left[0].startswith("-"):
        inner = command.get_command(context, left[0])
        if inner is None:
            return None, context, left
        command, context = inner, click.Context(inner, info_name=left.pop(0), parent=context)
    return command, context, left


def _check(parameter: click.Parameter, context: click.Context, value: object) -> None:
    if parameter.value_is_missing(value):
        if parameter.required:
            raise click.MissingParameter(ctx=context, param=parameter)
        return
    try:
        parameter.type_cast_value(context, value)
    except click.BadParameter:
        given = value if isinstance(value, list | tuple) else [value]
        if not any(PLACEHOLDER.fullmatch(str(one)) for one in given):
            raise


def all_commands(group: click.Group = program) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """Yield each command that does something, with the words that it is called by."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (((name, *words), *rest) for words, *rest in all_commands(command))
        elif command is not None:
            yield (name,), command, click.Context(command, parent=context)


def variables() -> set[str]:
    """Return the names of variables that are heard: those of settings, and those of commands' own flags."""
    names = {PREFIX + field.upper() for field in Settings.model_fields if field != "kafka"}
    for words, command, context in all_commands():
        for parameter in command.get_params(context):
            if parameter.name and isinstance(parameter, click.Option):
                named = parameter.envvar or [PREFIX + "_".join((*words, parameter.name)).upper().replace("-", "_")]
                names |= {named} if isinstance(named, str) else set(named)
    return names


def is_variable(name: str) -> bool:
    """Tell whether a variable is heard; ``…`` stands for anything, and every property of librdkafka is one."""
    return name.startswith(KAFKA_PREFIX) or _is_one_of(name, variables())


def metrics() -> set[str]:
    """Return the names of metrics as Prometheus sees them."""
    names = set()
    for thing in vars(smartblood.metrics).values():
        if isinstance(thing, prometheus_client.metrics.MetricWrapperBase):
            for family in thing.describe():
                kinds = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
                names |= {family.name + suffix for suffix in kinds.get(family.type, [""])}
    return names


def is_metric(name: str) -> bool:
    """Tell whether Prometheus sees a metric of that name; ``…`` stands for anything."""
    return _is_one_of(name, metrics())


def _is_one_of(name: str, names: set[str]) -> bool:
    pattern = re.compile(".*".join(map(re.escape, name.split("…"))))
    return any(pattern.fullmatch(one) for one in names)
