"""The broker's jars are those of the locked list, or they are not used."""

from __future__ import annotations

import errno
import hashlib
import socket
from types import SimpleNamespace

import pytest

from smartblood.errors import Fatal
from smartblood.local import fencing, jars
from smartblood.local.broker import LocalBroker
from smartblood.local.jars import Jar, fetch, listed, verified
from smartblood.local.ports import free_port
from smartblood.local.postgres import LocalPostgres

JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(b"right").hexdigest())


def test_the_list_names_every_jar_once_with_its_digest():
    every = listed()
    assert len({jar.coordinate for jar in every}) == len({jar.file_name for jar in every}) == len(every) == 92
    assert all(len(jar.sha256) == 64 for jar in every)
    assert {jar.version for jar in every if jar.group == "org.apache.kafka"} == {"4.3.1"}


def test_a_jar_that_is_right_is_used(tmp_path):
    (tmp_path / JAR.file_name).write_bytes(b"right")
    assert verified(tmp_path, (JAR,)) == [tmp_path / JAR.file_name]


def test_a_jar_whose_digest_differs_is_refused_in_one_line(tmp_path):
    (tmp_path / JAR.file_name).write_bytes(b"wrong")
    for use in (verified, fetch):
        with pytest.raises(Fatal, match=r"thing-1\.0\.jar: SHA-256 is .* the locked list says .* delete") as refused:
            use(tmp_path, (JAR,))
        assert "\n" not in str(refused.value)


def test_a_missing_jar_says_how_to_get_it(tmp_path):
    with pytest.raises(Fatal, match="make install"):
        verified(tmp_path, (JAR,))
    with pytest.raises(Fatal, match="make install"):
        LocalBroker(tmp_path / "kafka", libs=tmp_path).start()


def test_a_download_whose_digest_differs_is_not_kept(tmp_path, monkeypatch):
    def download(_resolver, artefact):
        path = artefact.cached_path
        path.parent.mkdir(parents=True)
        path.write_bytes(b"wrong")
        return path

    monkeypatch.setattr("jgo.maven._resolver.PythonResolver.download", download)
    with pytest.raises(Fatal, match="SHA-256"):
        fetch(tmp_path / "libs", (JAR,))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_way_to_the_repository_is_one_line(tmp_path, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jars, "PAUSES_S", (0.0,))
    with pytest.raises(Fatal, match=r"can't fetch org\.example:thing:1\.0 .*check the network") as refused:
        fetch(tmp_path / "libs", (JAR,))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("trouble", [ConnectionError("NameResolutionError"), RuntimeError("no answer")])
def test_a_download_that_fails_once_is_tried_again(trouble, tmp_path, monkeypatch):
    tries = []

    def download(_resolver, artefact):
        tries.append(artefact)
        if len(tries) == 1:
            raise trouble
        path = artefact.cached_path
        path.parent.mkdir(parents=True)
        path.write_bytes(b"right")
        return path

    monkeypatch.setattr(jars, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr("jgo.maven._resolver.PythonResolver.download", download)
    assert [path.read_bytes() for path in fetch(tmp_path / "libs", (JAR,))] == [b"right"]
    assert len(tries) == 2


@pytest.mark.parametrize("server", [LocalBroker, LocalPostgres])
def test_a_full_disk_is_one_line(server, tmp_path, monkeypatch):
    monkeypatch.setattr("smartblood.local.jars.verified", lambda _libs: [])
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(Fatal, match=r"the disk is full: 5 MB free .* make room"):
        server(tmp_path / "data").start()


def test_a_disk_that_fills_up_while_jars_are_fetched_is_one_line(tmp_path, monkeypatch):
    def download(_resolver, _artefact):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("jgo.maven._resolver.PythonResolver.download", download)
    with pytest.raises(Fatal, match=r"the disk is full .* make room"):
        fetch(tmp_path / "libs", (JAR,))


@pytest.mark.parametrize("server", [LocalBroker, LocalPostgres])
def test_a_busy_port_is_one_line(server, tmp_path, monkeypatch):
    monkeypatch.setattr("smartblood.local.jars.verified", lambda _libs: [])
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(Fatal, match=rf"port {port} .* is taken"):
            server(tmp_path / "data", port=port).start()


def test_a_port_is_given_once_though_nothing_listens_there_yet(monkeypatch):
    monkeypatch.setattr("os.urandom", lambda n: b"\x07" * n)
    assert len({free_port() for _ in range(20)}) == 20


UNFENCED = "BrokerHeartbeatManager - The request from broker 1 to unfence has been granted because it has caught up"
FENCED = "ReplicationControlManager - Fencing broker 1 at epoch 11 because its session has timed out."
SHUT_DOWN = "BrokerHeartbeatManager - Unfenced broker 1 has requested and been granted an immediate shutdown."


@pytest.mark.parametrize(
    ("said", "is_needed"),
    [
        ([], False),
        (["WARN"], False),
        ([UNFENCED], True),
        ([UNFENCED, FENCED, "WARN"], False),
        ([UNFENCED, FENCED, UNFENCED, "WARN"], True),
        ([UNFENCED, SHUT_DOWN], False),
        ([UNFENCED, SHUT_DOWN, UNFENCED], True),
        (None, True),
    ],
)
def test_a_killed_broker_is_to_be_fenced_unless_its_log_says_that_it_is(said, is_needed, tmp_path):
    log_path = tmp_path / "broker.log"
    if said is not None:
        log_path.write_text("".join(f"{line}\n" for line in said), "utf-8")
    assert not fencing.is_needed(tmp_path, log_path), "nothing began"
    (tmp_path / "__cluster_metadata-0").mkdir()
    assert fencing.is_needed(tmp_path, log_path) is is_needed
    (tmp_path / ".kafka_cleanshutdown").touch()
    assert not fencing.is_needed(tmp_path, log_path)
