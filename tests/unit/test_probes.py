"""What a process says of itself over HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from smartblood.errors import Fatal
from smartblood.probes import Probes, of_all_processes, ready_workers


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_metrics_health_and_readiness_are_served():
    late = ["matching/a"]
    with Probes("127.0.0.1:0", unready=lambda: late) as probes:
        status, text = get(probes.url + "/metrics")
        assert status == 200
        names = {family.name for family in text_string_to_metric_families(text)}
        assert "smartblood_batches" in names
        assert get(probes.url + "/healthz")[0] == 200
        assert get(probes.url + "/readyz") == (503, "not ready: matching/a\n")
        late.clear()
        assert get(probes.url + "/readyz") == (200, "ready\n")
        assert get(probes.url + "/secrets")[0] == 404


def test_a_busy_port_is_one_line():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(Fatal, match=rf"port {port} .*taken.*SMARTBLOOD_METRICS_ADDRESS"):
            Probes(f"127.0.0.1:{port}").start()


def test_only_workers_whose_gauge_is_one_are_ready():
    registry = CollectorRegistry()
    gauge = Gauge("smartblood_ready", "...", ["processor", "slot"], registry=registry)
    gauge.labels("matching", "a").set(1)
    gauge.labels("matching", "b").set(0)
    assert ready_workers(registry) == {("matching", "a")}


def test_a_file_that_its_owner_left_empty_or_half_written_hides_no_other(tmp_path):
    program = "from smartblood.metrics import READY; READY.labels('matching', 'a').set(1)"
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    (tmp_path / "counter_1.db").write_bytes(b"")
    (tmp_path / "gauge_livemostrecent_2.db").write_bytes(b"\x40\0\0\0\0\0\0\0\xff\xff\0\0" + bytes(100))
    (tmp_path / "histogram_3.db").write_bytes(b"\x40\0")
    assert ready_workers(of_all_processes(tmp_path)()) == {("matching", "a")}
