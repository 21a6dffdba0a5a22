"""A Kafka broker of this machine's own: one node, broker and controller at once, on the Java runtime of a wheel.

Durable enough to be killed and started again on its folder; not replicated, not secured, on loopback alone.
"""

from __future__ import annotations

import base64
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

from smartblood.errors import Fatal
from smartblood.local import children, fencing, jars
from smartblood.local.java import QUICK, aot_cache, bootstrap_template, command
from smartblood.local.ports import LOOPBACK, free_port
from smartblood.local.server import LocalServer

FENCE_WITHIN_S = 15.0
LARGEST_RECORD_BYTES = 4 * 2**20
"""A record of one megabyte comes back as a dead letter with headers, and must pass."""

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # What a killed worker owned goes to others after so long: 45 s by default, which clients can't shorten.
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
    "message.max.bytes": str(LARGEST_RECORD_BYTES),
    "replica.fetch.max.bytes": str(LARGEST_RECORD_BYTES),
    # Two hundred partitions of a local broker would otherwise set aside 20 MB of index each day and more.
    "log.index.size.max.bytes": str(2**20),
    "log.segment.bytes": str(128 * 2**20),
    "log.cleaner.dedupe.buffer.size": str(32 * 2**20),
    # Ready sooner: 2 s by default.
    "broker.heartbeat.interval.ms": "300",
    # Alone, it needn't wait for another's vote.
    "controller.quorum.election.timeout.ms": "100",
    "controller.quorum.election.backoff.max.ms": "100",
    "controller.quorum.append.linger.ms": "2",
    # Fetches that were answered stay in its lists until so many have come, 1,000 by default: looked through at each
    # append, and copied at each collection of garbage.
    "fetch.purgatory.purge.interval.requests": "100",
    "producer.purgatory.purge.interval.requests": "100",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class LocalBroker(LocalServer):
    """A broker in ``folder``; what it holds is still there when it is started again.

    Parameters
    ----------
    folder : Path
        A folder of its own, made where it isn't.
    port : int, optional
        Where it listens on loopback; a free port unless given, the same one after every restart.
    libs : Path, optional
        Where the jars lie.
    lasting : bool
        Whether it is to run for minutes, so that compiling it well pays.
    java_flags : tuple of str, optional
        Of the Java runtime; what was loaded beforehand is used unless given.
    """

    NAME = "the local broker"
    START_WITHIN_S = 60.0
    STOP_WITHIN_S = 5.0
    STOP_BY = signal.SIGTERM
    LEAST_FREE_BYTES = 256 * 2**20
    TELLING = ("Address already in use", "No space left", "Caused by", "ERROR", "Exception")

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        libs: Path | None = None,
        lasting: bool = False,
        java_flags: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(folder, port)
        self._libs = jars.default_folder() if libs is None else libs
        if java_flags is None:
            classes = aot_cache(self._libs)
            java_flags = (f"-XX:AOTCache={classes}",) if classes.is_file() else ()
        self._java_flags = java_flags if lasting else (*QUICK, *java_flags)
        self._controller_port: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """``host:port``, once it was started."""
        return self.address

    @property
    def log_path(self) -> Path:
        """What the broker said."""
        return self.folder / "broker.log"

    def _launched(self, port: int) -> subprocess.Popen[bytes]:
        classpath = jars.verified(self._libs)
        if self._controller_port is None:
            self._controller_port = free_port()
        self._prepare(port, classpath)
        self._fence(classpath)
        flags = (*self._java_flags, *fencing.BROKER_FLAGS)
        start = command(classpath, "kafka.Kafka", self._properties_path, flags=flags)
        with self.log_path.open("ab") as log:
            return children.spawn(start, cwd=self.folder, output=log)

    @staticmethod
    def _answers(port: int) -> bool:
        """Whether a broker on ``port`` names itself as one in its metadata: a client can work then.

        A request by hand (Metadata, version 0, no topics), since the Kafka client has one door and it isn't here.
        """
        body = struct.pack(">hhih", 3, 0, 1, -1) + struct.pack(">i", 0)
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
                connection.settimeout(2)
                connection.sendall(struct.pack(">i", len(body)) + body)
                answer = connection.recv(12)
        except OSError:
            return False
        if len(answer) < 12:
            return False
        _size, _correlation, n_brokers = struct.unpack(">iii", answer)
        return bool(n_brokers > 0)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _properties_path(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _controller_properties_path(self) -> Path:
        return self.folder / "controller.properties"

    def _prepare(self, port: int, classpath: list[Path]) -> None:
        controller = f"CONTROLLER://{LOOPBACK}:{self._controller_port}"
        own = {"controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}", "log.dirs": str(self._data)}
        address = f"PLAINTEXT://{LOOPBACK}:{port}"
        broker = {"listeners": f"{address},{controller}", "advertised.listeners": address}
        _write(self._properties_path, SETTINGS | own | broker)
        _write(self._controller_properties_path, SETTINGS | own | {"listeners": controller} | fencing.SETTINGS)
        if (self._data / "meta.properties").is_file():
            return
        template = bootstrap_template(self._libs)
        if template.is_file():
            self._data.mkdir()
            shutil.copyfile(template, self._data / "bootstrap.checkpoint")
            meta = f"version=1\nnode.id=1\ncluster.id={_kafka_uuid()}\ndirectory.id={_kafka_uuid()}\n"
            (self._data / "meta.properties").write_text(meta, "utf-8")
        else:
            self._format(classpath)

    def _fence(self, classpath: list[Path]) -> None:
        if not fencing.is_needed(self._data, self.log_path):
            return
        flags = (*QUICK, *self._java_flags, *fencing.FLAGS)
        start = command(classpath, "kafka.Kafka", self._controller_properties_path, flags=flags)
        fencing.fence(start, self.folder, self.log_path, within_s=FENCE_WITHIN_S)

    def _format(self, classpath: list[Path]) -> None:
        arguments = ("format", "-t", _kafka_uuid(), "-c", self._properties_path)
        with self.log_path.open("ab") as log:
            child = children.spawn(command(classpath, "kafka.tools.StorageTool", *arguments, flags=QUICK), output=log)
            if child.wait() != 0:
                message = f"can't prepare the local broker's folder: {self.last_words()} (all of it: {self.log_path})"
                raise Fatal(message)


def _write(path: Path, settings: Mapping[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")


def _kafka_uuid() -> str:
    """Return an id as Kafka writes them; one that begins with a hyphen would be taken for a flag."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
