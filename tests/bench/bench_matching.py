"""Matching alone, and the rebuilding of its index: no Kafka, one process, one core.

Run by ``make bench``; ``BENCH_DONORS`` makes the Kerala smaller.
"""

from __future__ import annotations

import itertools
import os
import resource
import time
from pathlib import Path

import pytest

from consumers.matching import Matching
from consumers.matching.asking import Asked, statement_of
from consumers.matching.matcher import Matcher
from consumers.topology import Batch, Input
from features.decay import HalfLives
from features.ranking import ExploringRules
from features.reach import ReachRules
from schemas.codec import Codec
from schemas.records import Record
from smartblood.registry.loading import load_panel
from tests.bench.kerala import N_PARTITIONS, donor_records, requests
from tests.bench.report import print_table, spread

N_DONORS = int(os.environ.get("BENCH_DONORS", "1000000"))
MODELS = Path(__file__).parents[2] / "models_artifacts"
N_RUNS = 5
N_REQUESTS = 2_000
DISTRIBUTIONS = ("numpy", "numba", "fastavro", "lightgbm")
MEASURED = range(N_RUNS)


@pytest.fixture(scope="module")
def donors() -> list[Record]:
    return list(donor_records(N_DONORS))


@pytest.fixture(scope="module")
def panel():
    return load_panel(MODELS)


@pytest.fixture(scope="module")
def matching(donors, panel):
    warm = Matching(Codec(), panel)
    warm.warm()
    matching = Matching(Codec(), panel, timer=time.perf_counter)
    matching.follow(donors)
    matching.index.settle()
    return matching


def test_index_restore(donors, panel):
    Matching(Codec(), panel).warm()
    seconds = []
    for _ in range(3):
        matching = Matching(Codec(), panel)
        begun_s = time.process_time()
        for first in range(0, len(donors), 10_000):
            assert matching.follow(donors[first : first + 10_000]) == []
        matching.index.settle()
        seconds.append(time.process_time() - begun_s)
    index = matching.index
    print_table(
        f"Index restore: {index.n_donors:,} donors from encoded donor-states, medians of 3",
        [
            ["figure", "value", "to reach (1,000,000 donors)"],
            ["seconds", spread(seconds, ".2f"), "20, with Kafka"],
            ["bytes a donor", f"{index.n_bytes / index.n_donors:.1f}", "150"],
            ["bytes of a record", f"{sum(len(record.value) for record in donors) / len(donors):.0f}", ""],
            ["peak resident MB", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f}", ""],
        ],
        *DISTRIBUTIONS,
    )


def test_what_the_cut_costs(matching, panel):
    events = [event for event in requests(400) if event["urgency"] in {"HIGH", "CRITICAL"}]
    asked = [Asked(statement_of(event), event, wave=1, recorded=True, empty_because=None) for event in events]
    lists = []
    for n_scored_min in (256, 10**9):
        rules = ReachRules(n_scored_min=n_scored_min)
        rest = {"exploring": ExploringRules(), "half_lives": HalfLives(), "timer": time.perf_counter}
        matcher = Matcher(matching.index, reach=rules, **rest)
        offers = matcher.match(asked, [panel] * len(asked)).offers
        start = offers.start
        lists.append([(offers.row[a:b], offers.score[a:b]) for a, b in itertools.pairwise(start)])
    same = [set(cut[0]) == set(whole[0]) for cut, whole in zip(*lists, strict=True)]
    kept = [len(set(cut[0]) & set(whole[0])) / len(whole[0]) for cut, whole in zip(*lists, strict=True)]
    sums = [cut[1].sum() / whole[1].sum() for cut, whole in zip(*lists, strict=True)]
    print_table(
        f"What the cut to 256 costs: {matching.index.n_donors:,} donors, top 10, {len(events)} requests",
        [
            ["figure", "value"],
            ["lists that are the same as if all were scored", f"{sum(same) / len(same):.1%}"],
            ["of the offers, those that scoring all would make", f"{sum(kept) / len(kept):.2%}"],
            ["sum of a list's scores, against scoring all", f"{sum(sums) / len(sums):.3%}"],
        ],
        *DISTRIBUTIONS,
    )


@pytest.mark.parametrize("batch_size", [1, 16, 64])
def test_requests_a_second(matching, batch_size):
    codec = Codec()
    events = list(requests(N_REQUESTS))
    records = [
        Record(
            "blood-request-created",
            0,
            i,
            event["occurred_at"] // 1000,
            str(i).encode(),
            codec.encode("blood-request-created", event),
        )
        for i, event in enumerate(events)
    ]
    followed = {"donor-states": dict.fromkeys(range(N_PARTITIONS), 1)}
    rates, inference, n_rows, n_offers = [], [], 0, 0
    for _ in MEASURED:
        matching.revoke([0])
        logs, n_offers = [], 0
        begun_s = time.process_time()
        for first in range(0, len(records), batch_size):
            inputs = [Input(record, matching.read(record)) for record in records[first : first + batch_size]]
            outputs = matching.process(Batch(inputs, followed))
            matching.keep()
            logs += [output for output in outputs if output.topic == "prediction-logged"]
            n_offers += sum(output.topic == "matches" for output in outputs)
        rates.append(len(records) / (time.process_time() - begun_s))
        decoded = [codec.decode("prediction-logged", log.value) for log in logs]
        inference.append(sum(log["inference_time_ms"] for log in decoded) / len(records))
        n_rows = sum(log["n_rows"] for log in decoded)
        assert n_offers == len(records)
    print_table(
        f"Matching alone: {matching.index.n_donors:,} donors, top 10, batches of {batch_size}, medians of {N_RUNS}",
        [
            ["figure", "value", "to reach"],
            ["requests/s", spread(rates), "1,000"],
            ["of a request, ms", spread((1000 / rate for rate in rates), ".3f"), ""],
            ["  of which scoring, ms", spread(inference, ".3f"), ""],
            ["rows scored a request", f"{n_rows / len(records):.0f}", ""],
        ],
        *DISTRIBUTIONS,
    )
