"""Donor state alone: decoding, folding and encoding donors' events, without Kafka; one process, one core.

Run by ``make bench``; ``SMARTBLOOD_BENCH_HISTORY_DONORS`` makes the simulated Kerala smaller or larger.
"""

from __future__ import annotations

import os
import time
import uuid

import pytest

from consumers.donor_state import DonorState
from consumers.topology import Batch, Input
from producers.simulator import World, simulate
from schemas.codec import Codec
from schemas.records import Record
from tests.bench.report import print_table, spread

N_DONORS = int(os.environ.get("SMARTBLOOD_BENCH_HISTORY_DONORS", "20000"))
END = 1_780_000_000_000_000
BATCH = 1_000
N_RUNS = 5
CODEC = Codec()


@pytest.fixture(scope="module")
def mix():
    """Two years of a simulated Kerala, in order of time."""
    published = simulate(World(n_donors=N_DONORS), 1, END).events()
    return [
        Record(one.topic, 0, offset, one.timestamp_ms, one.key.encode(), CODEC.encode(one.topic, one.event))
        for offset, one in enumerate(published)
    ]


def one_more_of_each(records):
    """For each donor the last event again, a minute later and with another id."""
    events = []
    for offset, record in enumerate({record.key: record for record in records}.values()):
        event = dict(CODEC.decode(record.topic, record.value))
        event |= {"event_id": str(uuid.UUID(int=offset + 1)), "occurred_at": event["occurred_at"] + 60_000_000}
        value = CODEC.encode(record.topic, event)
        events.append(record._replace(offset=offset, timestamp_ms=record.timestamp_ms + 60_000, value=value))
    return events


def read(processor, records):
    """Inputs as the loop reads them."""
    events = processor.glance(records)
    return [
        Input(record, processor.read(record) if event is None else event)
        for record, event in zip(records, events, strict=True)
    ]


def run(processor, records):
    """Seconds of processor time, records written and their bytes."""
    n_written = n_bytes = 0
    begun_s = time.process_time()
    for first in range(0, len(records), BATCH):
        outputs = processor.process(Batch(read(processor, records[first : first + BATCH])))
        processor.keep()
        n_written += len(outputs)
        n_bytes += sum(len(output.value) for output in outputs)
    return time.process_time() - begun_s, n_written, n_bytes


def test_events_a_second(mix):
    others = one_more_of_each(mix)
    run(DonorState(CODEC, columns_after=0), mix[:1_000])  # loads the kernels
    seconds, seconds_of_others = [], []
    for _ in range(N_RUNS):
        processor = DonorState(CODEC)
        spent_s, n_written, n_bytes = run(processor, mix)
        seconds.append(spent_s / len(mix))
        spent_s, n_of_others, _ = run(processor, others)
        seconds_of_others.append(spent_s / len(others))
        assert n_of_others == len(others) == processor.n_donors
    stored = states_of(processor)
    size = f"{processor.n_donors:,} donors, {len(mix):,} events, batches of {BATCH:,}"
    print_table(
        f"Donor state alone: {size}, medians of {N_RUNS}",
        [
            ["figure", "simulator's mix", "every event another donor's"],
            ["events/s", *(spread(1 / one for one in runs) for runs in (seconds, seconds_of_others))],
            ["of an event, µs", *(spread((one * 1e6 for one in runs), ".1f") for runs in (seconds, seconds_of_others))],
            ["records written an event", f"{n_written / len(mix):.2f}", "1.00"],
            ["bytes of a record", f"{n_bytes / n_written:.0f}", ""],
            ["bytes remembered a donor", f"{sum(stored) / len(stored):.0f}", ""],
        ],
        "fastavro",
    )


def states_of(processor):
    return [len(memory) for donors in processor._memory.values() for memory in donors.values()]


def test_restore(mix):
    processor = DonorState(CODEC)
    store = []
    for first in range(0, len(mix), BATCH):
        store += processor.process(Batch(read(processor, mix[first : first + BATCH])))
        processor.keep()
    records = [Record(output.topic, 0, 0, 0, output.key, output.value) for output in store]
    seconds = []
    for _ in range(N_RUNS):
        restored = DonorState(CODEC)
        begun_s = time.process_time()
        restored.restore(0, records)
        seconds.append(time.process_time() - begun_s)
    assert restored._memory == processor._memory
    print_table(
        f"Donor state's restore: {len(records):,} records of donor-states, medians of {N_RUNS}",
        [["figure", "value"], ["records/s", spread(len(records) / one for one in seconds)]],
        "fastavro",
    )
