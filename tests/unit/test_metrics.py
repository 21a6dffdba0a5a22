from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from smartblood import metrics

ALL = {name: each for name, each in vars(metrics).items() if isinstance(each, MetricWrapperBase)}
USED_IN_CHILDREN = """
from smartblood import metrics
for name, each in vars(metrics).items():
    if not hasattr(each, "_labelnames"):
        continue
    child = each.labels(*["x"] * len(each._labelnames)) if each._labelnames else each
    getattr(child, {"gauge": "set", "counter": "inc", "histogram": "observe"}[each._type])(1)
"""


def test_every_metric_has_our_prefix_and_says_what_it_is() -> None:
    assert len(ALL) > 20
    for each in ALL.values():
        assert each._name.startswith("smartblood_")
        assert each._documentation.endswith(".")


def test_no_label_can_carry_a_donor_or_a_request() -> None:
    allowed = {"processor", "topic", "slot", "partition", "kind", "outcome", "reason", "stage", "state", "worker"}
    allowed |= {"model", "version", "sha256", "role", "feature", "end", "what"}
    for each in ALL.values():
        assert set(each._labelnames) <= allowed, each._name


def test_all_of_them_work_where_several_processes_write_one_set(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", USED_IN_CHILDREN], env=environment, check=True)
    read = (
        "from prometheus_client import CollectorRegistry, generate_latest;"
        "from prometheus_client.multiprocess import MultiProcessCollector as M;"
        "r = CollectorRegistry(); M(r); print(generate_latest(r).decode())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", read], env=environment, check=True, capture_output=True
    ).stdout.decode()
    for each in ALL.values():
        assert f"# HELP {each._name}" in shown
    assert 'smartblood_batches_total{processor="x"} 2.0' in shown


def test_latency_is_told_finely_from_one_millisecond_to_ten_seconds() -> None:
    buckets = metrics.LATENCY_BUCKETS_S
    assert (buckets[0], buckets[-1]) == (0.001, 10.0)
    assert all(later / earlier <= 2 for earlier, later in itertools.pairwise(buckets))
