"""Broker and database of this machine's own, where no address is set; the folder that holds them."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from smartblood.errors import Fatal
from smartblood.settings import Settings


@dataclass(frozen=True, slots=True)
class Machine:
    """Where broker and database are, whoever started them.

    ``settings`` have both addresses; ``kafka_is_local`` and ``database_is_local`` say which were started here.
    """

    settings: Settings
    kafka_is_local: bool
    database_is_local: bool


@contextmanager
def running(settings: Settings, folder: Path | None = None) -> Iterator[Machine]:
    """Start what no address is set for, side by side, and stop it in the end.

    Parameters
    ----------
    settings : Settings
        Where an address is set, nothing is started in its place.
    folder : Path, optional
        Keeps the data between runs; without one the data is thrown away in the end.

    Raises
    ------
    Fatal
        If one of them can't be started, or the folder is in use.
    """
    with ExitStack() as stack:
        if settings.kafka_bootstrap_servers and settings.database_url:
            yield Machine(settings, kafka_is_local=False, database_is_local=False)
            return
        place = stack.enter_context(_folder(folder))
        changes = {}
        broker = postgres = None
        if not settings.kafka_bootstrap_servers:
            from smartblood.local.broker import LocalBroker  # noqa: PLC0415 - they may not be installed

            broker = LocalBroker(place / "kafka")
            stack.callback(broker.stop)
            broker.begin()
            changes["kafka_bootstrap_servers"] = broker.bootstrap_servers
        if not settings.database_url:
            from smartblood.local.postgres import LocalPostgres  # noqa: PLC0415

            postgres = LocalPostgres(place / "postgres")
            stack.callback(postgres.stop)
            postgres.start()
            changes["database_url"] = postgres.url
        if broker is not None:
            broker.await_ready()
        yield Machine(
            settings.changed(**changes),
            kafka_is_local=broker is not None,
            database_is_local=postgres is not None,
        )


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="smartblood-", ignore_cleanup_errors=True) as made:
            yield Path(made)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        message = f"can't use {folder}: {error.strerror}; name a folder that can be written"
        raise Fatal(message) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        message = f"{folder} is in use by another `smartblood up`; stop it, or name another folder"
        raise Fatal(message) from None
    else:
        yield folder.resolve()
    finally:
        os.close(lock)
