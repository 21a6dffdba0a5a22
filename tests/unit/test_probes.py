"""What a process says of itself over HTTP."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families

from smartblood.errors import Fatal
from smartblood.probes import Probes, ready_workers


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
