"""What the servers of this machine's own have in common: a folder, a port on loopback, a process, a log."""

from __future__ import annotations

import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from smartblood.errors import Fatal
from smartblood.local import children
from smartblood.local.ports import LOOPBACK, free_port, refuse_busy


class LocalServer(ABC):
    """A server in ``folder``; what it holds is still there when it is started again.

    Parameters
    ----------
    folder : Path
        A folder of its own, made where it isn't.
    port : int, optional
        Where it listens on loopback; a free port unless given, the same one after every restart.
    """

    NAME: ClassVar[str]
    """As messages call it."""

    START_WITHIN_S: ClassVar[float]
    STOP_WITHIN_S: ClassVar[float]
    STOP_BY: ClassVar[signal.Signals]
    LEAST_FREE_BYTES: ClassVar[int]
    TELLING: ClassVar[tuple[str, ...]]
    """Marks of the lines of its log that say why it ended, the most telling first."""

    def __init__(self, folder: Path, port: int | None) -> None:
        self.folder = folder.resolve()
        self._port = port
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def log_path(self) -> Path:
        """What it said."""

    @property
    def address(self) -> str:
        """``host:port``, once it was started."""
        if self._port is None:
            message = f"{self.NAME} was not started yet: it has no address"
            raise RuntimeError(message)
        return f"{LOOPBACK}:{self._port}"

    def start(self, *, within_s: float | None = None) -> None:
        """Start it and wait until it answers.

        Parameters
        ----------
        within_s : float, optional
            How long that may take, in seconds; ``START_WITHIN_S`` unless given.

        Raises
        ------
        Fatal
            If it isn't installed as it should be, its port is taken, the disk is full, or it doesn't answer in time.
        """
        self.begin()
        self.await_ready(within_s=within_s)

    def begin(self) -> None:
        """Start it without waiting, so that other things can be started meanwhile.

        Raises
        ------
        Fatal
            As for ``start``.
        """
        if self.process is not None and self.process.poll() is None:
            return
        if self._port is None:
            self._port = free_port()
        else:
            refuse_busy(self._port, self.NAME)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._refuse_full_disk()
            self.process = self._launched(self._port)
        except OSError as error:
            message = f"can't start {self.NAME} in {self.folder}: {error.strerror}; is the disk full or read-only?"
            raise Fatal(message) from error

    def await_ready(self, *, within_s: float | None = None) -> None:
        """Wait until it answers.

        Raises
        ------
        Fatal
            If it ended, or doesn't answer within ``within_s`` seconds.
        """
        within_s = self.START_WITHIN_S if within_s is None else within_s
        process, port = self.process, self._port
        assert process is not None  # noqa: S101 - begin() comes first
        assert port is not None  # noqa: S101
        children.wait_until(lambda: process.poll() is not None or self._answers(port), within_s=within_s)
        if process.poll() is not None:
            message = f"{self.NAME} ended at its start: {self.last_words()} (all of it: {self.log_path})"
            raise Fatal(message)
        if not self._answers(port):
            self.kill()
            message = f"{self.NAME} didn't answer within {within_s:.0f} s; what it said is in {self.log_path}"
            raise Fatal(message)

    @property
    def died(self) -> bool:
        """Whether it was started and has ended, by whatever it was."""
        return self.process is not None and self.process.poll() is not None

    def last_words(self) -> str:
        """Return the line of its log that says best why it ended."""
        lines = self.log_path.read_text("utf-8", errors="replace").splitlines()
        for mark in self.TELLING:
            for line in reversed(lines):
                if mark in line:
                    return " ".join(line.split())[:240]
        return " ".join(lines[-1].split())[:240] if lines else "it said nothing"

    def kill(self) -> None:
        """End it by SIGKILL, as a machine dies."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        """Start it again on the same port with what it held, whether it still runs or was killed."""
        self.stop()
        self.start()

    def stop(self, *, within_s: float | None = None) -> None:
        """Stop it in order; by SIGKILL when that takes longer than ``within_s`` seconds."""
        if self.process is not None:
            within_s = self.STOP_WITHIN_S if within_s is None else within_s
            children.stop(self.process, within_s=within_s, by=self.STOP_BY)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    @abstractmethod
    def _launched(self, port: int) -> subprocess.Popen[bytes]:
        """Prepare the folder and start the process; raises Fatal where it isn't installed as it should be."""

    @staticmethod
    @abstractmethod
    def _answers(port: int) -> bool:
        """Whether clients can work with the server on ``port``."""

    def _refuse_full_disk(self) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < self.LEAST_FREE_BYTES:
            message = f"the disk is full: {free // 2**20} MB free at {self.folder}, "
            message += f"{self.NAME} needs {self.LEAST_FREE_BYTES // 2**20} MB: make room"
            raise Fatal(message)
