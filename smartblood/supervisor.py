"""Workers as child processes: started, watched, started again when they die, stopped in order.

A worker is one process with one slot. It says by its gauge ``smartblood_ready`` when it answers records; gauges and
counters of all children lie as files in one folder, which this process reads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from prometheus_client.multiprocess import mark_process_dead

from smartblood.errors import Fatal
from smartblood.metrics import RESTARTS
from smartblood.probes import of_all_processes, ready_workers
from smartblood.settings import PREFIX, Settings

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
SETTLED_AFTER_S = 60.0
"""A worker that ran so long is started again at once when it dies."""

STOP_WITHIN_S = 11.0
"""A worker stops within 10 s; what doesn't is ended."""

FATAL = 3

Say = Callable[[str], None]


class Running(Protocol):
    """A process that was started, as ``subprocess.Popen`` and ``smartblood.nursery.Nursling`` are."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Return its exit code, None as long as it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code when it has ended; raise ``subprocess.TimeoutExpired`` if that takes too long."""

    def send_signal(self, number: int, /) -> None:
        """Send it a signal, if it still runs."""

    def kill(self) -> None:
        """End it."""


class Spawn(Protocol):
    """Starts a worker."""

    def __call__(self, arguments: Sequence[str | Path], /, *, env: Mapping[str, str]) -> Running:
        """Start it with these arguments and this environment."""


@dataclass(slots=True)
class Child:
    """One worker, and how often it had to be started again."""

    name: str
    slot: str
    process: Running | None = None
    started_at_s: float = 0.0
    start_again_at_s: float = 0.0
    wait_s: float = 0.0
    n_restarts: int = 0

    @property
    def processors(self) -> list[str]:
        """The names of what it does."""
        return self.name.split("+")

    @property
    def label(self) -> str:
        """What logs and metrics call it."""
        return f"{self.name}/{self.slot}"


@dataclass(slots=True)
class Supervisor:
    """Keeps workers running.

    Parameters
    ----------
    workers : sequence of (str, str)
        Name of the processor and slot of each; names joined by ``+`` share a process, and a slot, as long as none of
        them says that it can't work.
    settings : Settings
        What the workers are to see, as environment variables.
    metrics_folder : Path
        Where the processes keep their metrics as files.
    say : callable
        Is told, in a line, what happened.
    spawn : callable
        Starts ``smartblood worker`` with what it is given: ``--last-words``, a file for the line that says why it can't
        work, ``--begin``, a file whose being there lets it begin, and the worker's names.
    """

    workers: Sequence[tuple[str, str]]
    settings: Settings
    metrics_folder: Path
    say: Say
    spawn: Spawn
    was_ready: bool = False
    _children: list[Child] = field(default_factory=list)

    def start(self, *, held: bool = False) -> None:
        """Start all workers, without waiting for them; ``held`` ones get ready and begin when they are let go."""
        if not held:
            self.let_go()
        self._children = [Child(name, slot) for name, slot in self.workers]
        for child in self._children:
            self._start(child, time.monotonic())

    def let_go(self) -> None:
        """Let the workers begin."""
        self._begin_file.touch()

    def tick(self) -> None:
        """Look after the workers once: bury who died, start who is due.

        Raises
        ------
        Fatal
            If a worker said that it can't work before all were ready once: with these settings it never will.
            Afterwards it is tried again from time to time, since the others do their part without it; those who shared
            its process too, each in one of its own from then on.
        """
        at_s = time.monotonic()
        for child in [*self._children]:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, child.process, at_s)
        for child in self._children:
            if child.process is None and at_s >= child.start_again_at_s:
                child.n_restarts += 1
                RESTARTS.labels(child.label).inc()
                self._start(child, at_s)

    def unready(self) -> Iterable[str]:
        """Return the workers that don't answer records now, by name and slot."""
        ready = ready_workers(of_all_processes(self.metrics_folder)())
        late = ["starting"] if not self._children else []
        late += [
            child.label
            for child in self._children
            if child.process is None or any((name, child.slot) not in ready for name in child.processors)
        ]
        self.was_ready = self.was_ready or not late
        return late

    def run(self, stopped: Callable[[float], bool]) -> None:
        """Look after the workers until told to stop, then stop them.

        Parameters
        ----------
        stopped : callable
            Waits so many seconds, and returns whether to stop.
        """
        try:
            while not stopped(0.2):
                self.tick()
                if not self.was_ready:
                    self.unready()
        finally:
            self.stop()

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Stop all workers at once: they finish or abort their batches; end those that take longer."""
        running = [(child, child.process) for child in self._children if child.process is not None]
        for _, process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
        give_up_at_s = time.monotonic() + within_s
        for child, process in running:
            try:
                process.wait(timeout=max(0.0, give_up_at_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.label} didn't stop within {within_s:.0f} s: ended")
                process.kill()
                process.wait()
            child.process = None

    def _start(self, child: Child, at_s: float) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= self.settings.changed(slot=child.slot).environment()
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(self.metrics_folder)
        self._last_words(child).unlink(missing_ok=True)
        files = ("--last-words", self._last_words(child), "--begin", self._begin_file)
        child.process = self.spawn([*files, *child.processors], env=environment)
        child.started_at_s = at_s

    @property
    def _begin_file(self) -> Path:
        return self.metrics_folder / "begin"

    def _last_words(self, child: Child) -> Path:
        return self.metrics_folder / f"{child.name}-{child.slot}.last-words"

    def _bury(self, child: Child, process: Running, at_s: float) -> None:
        code = process.wait()
        why = ""
        if code == FATAL:
            words = self._last_words(child)
            why = words.read_text("utf-8") if words.is_file() else "the lines above say why"
            if not self.was_ready:
                message = f"{child.label} can't work: {why}"
                raise Fatal(message)
        with suppress(ChildProcessError):  # it never was born
            mark_process_dead(process.pid, path=str(self.metrics_folder))  # type: ignore[no-untyped-call]
        child.process = None
        died = f"died by signal {-code}" if code < 0 else f"ended with {code}"
        died += f" ({why})" if why else ""
        if code == FATAL and len(child.processors) > 1:  # nobody knows whose end it was, but each will show
            self._children.remove(child)
            self._children += [Child(name, child.slot) for name in child.processors]
            self.say(f"{child.label} {died}: started again at once, each in a process of its own")
            return
        settled = at_s - child.started_at_s >= SETTLED_AFTER_S
        if code == FATAL:
            child.wait_s = LONGEST_WAIT_S
        elif settled:
            child.wait_s = 0.0
        else:
            child.wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, 2 * child.wait_s)) if child.n_restarts else 0.0
        child.start_again_at_s = at_s + child.wait_s
        self.say(f"{child.label} {died}: started again {f'in {child.wait_s:.1f} s' if child.wait_s else 'at once'}")
