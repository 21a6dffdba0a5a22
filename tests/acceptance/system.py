"""The system as an operator has it: commands and processes, their settings in the environment, signals."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError

import psutil

from smartblood.kafka.topics import ensure
from smartblood.local.ports import free_port
from smartblood.nursery import Nursling
from smartblood.settings import load
from tests.acceptance.outsider import Outsider
from tests.acceptance.tables import Tables
from tests.nursery import started

SMARTBLOOD = (sys.executable, "-m", "smartblood")
STOPS_WITHIN_S = 10.0


@dataclass
class Worker:
    """One process of ``smartblood run``."""

    name: str
    slot: str
    process: Nursling
    log_path: Path
    metrics: str

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> float:
        """Ask it to stop; how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        return time.monotonic() - began

    @property
    def said(self) -> str:
        return self.log_path.read_text("utf-8", errors="replace")


@dataclass
class System:
    """One prefix and one database, and the processes that work on them."""

    bootstrap_servers: str
    database_url: str
    prefix: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    _numbers: itertools.count = field(default_factory=itertools.count)

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SMARTBLOOD_")}
        return (
            clean
            | {
                "SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
                "SMARTBLOOD_DATABASE_URL": self.database_url,
                "SMARTBLOOD_TOPIC_PREFIX": self.prefix,
                "SMARTBLOOD_METRICS_ADDRESS": "127.0.0.1:0",
                "PYTHONUNBUFFERED": "1",
            }
            | self.settings
        )

    def command(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command that ends by itself."""
        done = self._start(*arguments)()
        assert done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def _start(self, *arguments: str) -> Callable[[], subprocess.CompletedProcess[str]]:
        """Start a command; what is returned waits for its end."""
        paths = [self.folder / f"command-{next(self._numbers)}.{end}" for end in ("out", "err")]
        with paths[0].open("wb") as out, paths[1].open("wb") as err:
            process = started("smartblood", *arguments, cwd=self.folder, env=self.environment, output=(out, err))

        def done() -> subprocess.CompletedProcess[str]:
            code = process.wait(120)
            return subprocess.CompletedProcess(arguments, code, *(path.read_text("utf-8") for path in paths))

        return done

    def make_topics(self) -> None:
        """Make the topics, as ``topics create`` does, without a process of its own."""
        names = ("donor_partitions", "request_partitions", "output_partitions")
        partitions = {name: self.settings[f"SMARTBLOOD_{name.upper()}"] for name in names}
        ensure(load(kafka_bootstrap_servers=self.bootstrap_servers, topic_prefix=self.prefix, **partitions))

    def prepare(self) -> None:
        """Make topics and tables by the commands that are there for it."""
        for wait in [self._start("topics", "create"), self._start("db", "upgrade")]:
            done = wait()
            assert done.returncode == 0, done.stdout + done.stderr

    def run(self, name: str, slot: str = "a", *, workers: int = 1, **settings: str) -> Worker:
        """Start ``smartblood run`` without waiting for it."""
        port = free_port()
        log_path = self.folder / f"{name}-{slot}-{next(self._numbers)}.log"
        arguments = ["run", *name.split(), *(["--workers", str(workers)] if workers > 1 else [])]
        own = {"SMARTBLOOD_SLOT": slot, "SMARTBLOOD_METRICS_ADDRESS": f"127.0.0.1:{port}"} | settings
        with log_path.open("wb") as log:
            process = started("smartblood", *arguments, cwd=self.folder, env=self.environment | own, output=log)
        worker = Worker(name, slot, process, log_path, f"http://127.0.0.1:{port}")
        self.workers.append(worker)
        return worker

    def run_all(self, *slots: str, names: tuple[str, ...] = ("donor-state", "matching", "recording")) -> list[Worker]:
        started = [self.run(name, slot) for name in names for slot in slots or ("a",)]
        self.await_ready(*started)
        return started

    def await_ready(self, *workers: Worker, within_s: float = 90.0) -> None:
        give_up_at = time.monotonic() + within_s
        for worker in workers:
            while get(f"{worker.metrics}/readyz")[0] != 200:
                assert worker.alive, f"{worker.name} ended with {worker.process.returncode}: {worker.said[-3000:]}"
                assert time.monotonic() < give_up_at, f"{worker.name} isn't ready: {worker.said[-3000:]}"
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop everything that runs, at once, and hold it to its time."""
        running = [worker for worker in self.workers if worker.alive]
        for worker in running:
            worker.resume()
            worker.process.send_signal(signal.SIGTERM)
        give_up_at = time.monotonic() + STOPS_WITHIN_S + 2.0
        late = []
        for worker in running:
            try:
                worker.process.wait(timeout=max(0.1, give_up_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                late.append(f"{worker.name} {worker.slot} didn't stop: {worker.said[-2000:]}")
                worker.kill()
        assert not late, late
        codes = {(worker.name, worker.slot): worker.process.returncode for worker in running}
        assert set(codes.values()) <= {0}, codes

    def end(self) -> None:
        """End whatever still runs, however it is."""
        for worker in self.workers:
            if worker.alive:
                for child in psutil.Process(worker.process.pid).children(recursive=True):
                    child.kill()
                worker.kill()

    def drop_topics(self) -> None:
        """Leave the broker as it was: one that holds thousands of partitions takes half a minute to come back."""
        outsider = self.outsider()
        names = [f"{self.prefix}{topic}" for topic in outsider.topics()]
        outsider.admin.delete_topics(names)
        outsider.close()

    def outsider(self) -> Outsider:
        return Outsider(self.bootstrap_servers, self.prefix)

    def tables(self) -> Tables:
        return Tables(self.database_url)


def get(url: str) -> tuple[int, str]:
    """Status and body; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except (URLError, OSError):
        return 0, ""
