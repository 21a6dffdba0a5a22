"""Flags that stand for settings: one place says how each is called and what it means."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from smartblood.errors import Fatal
from smartblood.registry.shapes import version_of
from smartblood.settings import PREFIX, BadSettingError, load

FLAGS = {
    "kafka_bootstrap_servers": ("--kafka", "Addresses of the Kafka brokers, host:port with commas between."),
    "database_url": ("--database-url", "SQLAlchemy's URL of the Postgres database."),
    "schema_registry_url": ("--schema-registry-url", "Schema registry; with none, the project's own schema ids."),
    "metrics_address": ("--metrics-address", "Where /metrics, /healthz and /readyz are served, host:port."),
    "http_address": ("--http-address", "Where HTTP is served, host:port."),
    "topic_prefix": ("--topic-prefix", "Precedes the names of topics, groups and transactional ids."),
    "slot": ("--slot", "A worker's stable name among its kind; else the host's name and the worker's number."),
    "log_format": ("--log-format", "console or json."),
    "log_level": ("--log-level", "debug, info, warning or error."),
    "donor_partitions": ("--donor-partitions", "Partitions of topics keyed by donor."),
    "request_partitions": ("--request-partitions", "Partitions of topics keyed by request."),
    "output_partitions": ("--output-partitions", "Partitions of topics that have no workers to share them out."),
    "replication_factor": ("--replication-factor", "Copies of each partition."),
    "replay_horizon_days": ("--replay-horizon-days", "How long every version of a donor's state is kept."),
    "models_dir": ("--models-dir", "Where the models' artefacts lie."),
    "models_map_sha256": ("--models-map-sha256", "The digest that model_map.json itself must have."),
    "performance_window_days": ("--window-days", "How far back from the latest outcome that is known."),
    "performance_alerts_max": ("--alerts-max", "How many alerts are looked at, at most: the latest."),
    "performance_requests_min": ("--requests-min", "On fewer requests nothing alarms."),
    "schedules_file": ("--schedules-file", "TOML file that changes and adds schedules."),
}

CONNECTING = ("kafka_bootstrap_servers", "database_url", "schema_registry_url", "topic_prefix")
SERVING = ("metrics_address", "slot", "log_format", "log_level", "models_dir", "models_map_sha256", "schedules_file")

Command = Callable[..., Any]


class Number(click.FloatRange):
    """A finite number within limits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Read it; of what is no number at all, click's own range would say that it lies within."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number", param, ctx)
        return found


class Version(click.ParamType[str]):
    """What a version of a model may be called."""

    name = "TEXT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """Take it as it stands, or refuse it."""
        try:
            return version_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def with_settings(*names: str) -> Callable[[Command], Command]:
    """Give a command the flags ``names`` and, as its argument ``settings``, all settings with these flags applied.

    Parameters
    ----------
    *names : str
        Fields of ``Settings``.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def loading(*arguments: Any, **values: Any) -> Any:  # noqa: ANN401 - as the command has it
            flags = {name: values.pop(name) for name in names}
            try:
                settings = load(**flags)
            except BadSettingError as error:
                context = click.get_current_context()
                if context.get_parameter_source(error.name) is ParameterSource.COMMANDLINE:
                    raise click.BadParameter(error.what, param_hint=FLAGS[error.name][0]) from None
                raise
            return command(*arguments, settings=settings, **values)

        for name in reversed(names):
            flag, text = FLAGS[name]
            option = click.option(flag, name, envvar=PREFIX + name.upper(), show_envvar=True, help=text)
            loading = option(loading)
        return loading

    return decorate


def writable(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Try to write the file before anything is computed; it is left as it was.

    Raises
    ------
    Fatal
        If it can't be written.
    """
    if path is None:
        return None
    try:
        is_new = not (path.exists() or path.is_symlink())
        if is_new or path.is_file():  # of a pipe the reader would take this for the end
            with path.open("ab"):
                pass
        if is_new:
            path.unlink()
    except OSError as error:
        message = f"{path} can't be written: {error.strerror}; give another file with --out"
        raise Fatal(message) from error
    return path
