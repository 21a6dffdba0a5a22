"""Broker and database of this machine's own, where no address is set; the folder that holds them."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from smartblood.errors import Fatal
from smartblood.settings import Settings

if TYPE_CHECKING:
    from smartblood.local.broker import LocalBroker
    from smartblood.local.postgres import LocalPostgres


REVIVE_EACH_S = 5.0
"""What dies again and again is started so often."""


class Machine:
    """Starts what no address is set for, side by side, and stops it in the end.

    Parameters
    ----------
    settings : Settings
        Where an address is set, nothing is started in its place.
    folder : Path, optional
        Keeps the data between runs; without one the data is thrown away in the end.

    Attributes
    ----------
    settings : Settings
        With both addresses, once it was entered; broker and database may not answer yet.
    """

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self.settings = settings
        self._folder = folder
        self._stack = ExitStack()
        self._broker: LocalBroker | None = None
        self._postgres: LocalPostgres | None = None
        self._not_before_s: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Begin to start them.

        Raises
        ------
        Fatal
            If one of them can't be started, or the folder is in use.
        """
        with ExitStack() as stack:
            if not (self.settings.kafka_bootstrap_servers and self.settings.database_url):
                self._begin(stack, stack.enter_context(_folder(self._folder)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was started here."""
        self._stack.close()

    def await_database(self) -> None:
        """Wait until the database answers, where it was started here."""
        if self._postgres is not None:
            self._postgres.await_ready()

    def await_broker(self) -> None:
        """Wait until the broker answers, where it was started here."""
        if self._broker is not None:
            self._broker.await_ready()

    def revive(self, tell: Callable[..., None]) -> None:
        """Start again what was started here and has died, on its port and with what it held; to be called often.

        It doesn't wait until it answers: whoever works with it does.

        Parameters
        ----------
        tell : callable
            Told what is started again, by keywords what it said last.

        Raises
        ------
        Fatal
            If it can't be started: its port was taken, the disk is full.
        """
        for server in (self._broker, self._postgres):
            if server is None or not server.died or time.monotonic() < self._not_before_s.get(server.NAME, 0.0):
                continue
            self._not_before_s[server.NAME] = time.monotonic() + REVIVE_EACH_S
            tell(f"{server.NAME} died: started again", said=server.last_words())
            server.begin()

    def _begin(self, stack: ExitStack, place: Path) -> None:
        if not self.settings.kafka_bootstrap_servers:
            from smartblood.local.broker import LocalBroker  # noqa: PLC0415 - it may not be installed

            self._broker = broker = LocalBroker(place / "kafka", lasting=True)
            # What is thrown away needs no order, and a broker takes seconds to put its own.
            stack.callback(broker.kill if self._folder is None else broker.stop)
            broker.begin()
            self.settings = self.settings.changed(kafka_bootstrap_servers=broker.bootstrap_servers)
        if not self.settings.database_url:
            from smartblood.local.postgres import LocalPostgres  # noqa: PLC0415

            self._postgres = postgres = LocalPostgres(place / "postgres", durable=self._folder is not None)
            stack.callback(postgres.stop)
            postgres.begin()
            self.settings = self.settings.changed(database_url=postgres.url)


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
