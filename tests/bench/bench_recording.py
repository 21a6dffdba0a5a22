"""How fast recording is: ways to write a batch, and the whole way from the topics into Postgres."""

from __future__ import annotations

import io
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.dialects.postgresql import insert

from consumers.recording.folding import fold
from consumers.recording.projection import Projection
from consumers.recording.rows import DonorRow
from features.rule_set import INDIA_2020
from features.vectors import MATCH_FEATURES
from smartblood.storage.schema import upgrade
from smartblood.storage.sink import Sink
from smartblood.storage.tables import DONORS
from tests.bench.report import print_table, spread
from tests.integration.recording.record_world import make_topics, publish, recording, settings_of, wait_until
from tests.record_events import AT, CODEC, MINUTE, an_id, event, key_of, matches_of, record

pytestmark = pytest.mark.broker

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
N_ROWS = 5_000
N_RUNS = 5
N_STATES = 100_000
N_REQUESTS = 5_000
TOP_K = 10


def donor_rows(n):
    """Rows of donors, as projected."""
    projection = Projection(CODEC, INDIA_2020, MATCH_FEATURES)
    (row,) = projection.rows(record("donor-states", event("donor-states")))
    return [row._replace(id=donor, total_donations=donor % 50) for donor in range(n)]


def plain(row):
    """A row as a mapping with datetimes."""
    return {
        name: EPOCH + timedelta(microseconds=value) if name.endswith(("_at", "_until")) and value is not None else value
        for name, value in row._asdict().items()
    }


def by_unnest(sink, _engine, rows):
    sink.write(fold(rows), [])


def by_executemany(_sink, engine, rows):
    statement = insert(DONORS)
    changed = {name: statement.excluded[name] for name in DonorRow._fields if name != "id"}
    with engine.begin() as connection:
        connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_=changed), [plain(row) for row in rows]
        )


def by_copy(_sink, engine, rows):
    names = ", ".join(DonorRow._fields)
    changed = ", ".join(f"{name} = excluded.{name}" for name in DonorRow._fields if name != "id")
    lines = io.StringIO()
    for row in rows:
        lines.write("\t".join("\\N" if value is None else str(value) for value in plain(row).values()) + "\n")
    lines.seek(0)
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TEMP TABLE IF NOT EXISTS coming (LIKE donors) ON COMMIT DELETE ROWS"),
        )
        with connection.connection.cursor() as cursor:
            cursor.copy_expert(f"COPY coming ({names}) FROM STDIN", lines)
        connection.execute(
            text(f"INSERT INTO donors ({names}) SELECT {names} FROM coming ON CONFLICT (id) DO UPDATE SET {changed}")
        )


def test_ways_to_write_a_batch(database_url):
    upgrade(database_url)
    sink, engine = Sink(database_url), create_engine(database_url)
    rows = donor_rows(N_ROWS)
    table = [("way", "rows/s, new", "rows/s, known", "ms for one row")]
    for name, way in (("unnested arrays", by_unnest), ("COPY", by_copy), ("executemany", by_executemany)):
        new, known, one = [], [], []
        for _ in range(N_RUNS):
            with engine.begin() as connection:
                connection.execute(text("TRUNCATE donors"))
            for times, given in ((new, rows), (known, rows), (one, rows[:1])):
                began = time.perf_counter()
                way(sink, engine, given)
                times.append(time.perf_counter() - began)
        rates = [spread(N_ROWS / seconds for seconds in times) for times in (new, known)]
        table.append((name, *rates, spread((1000 * seconds for seconds in one), ".1f")))
    sink.close()
    engine.dispose()
    print_table(
        f"{N_ROWS:,} donors by upsert in one transaction, medians of {N_RUNS}", table, "sqlalchemy", "psycopg2-binary"
    )


def states():
    template = event("donor-states")
    for donor in range(N_STATES):
        of = template | {"donor_id": donor, "event_id": an_id(donor), "total_donations": donor % 50}
        yield "donor-states", key_of("donor-states", of), CODEC.encode("donor-states", of)


def answers():
    for n in range(N_REQUESTS):
        at = AT + n * MINUTE
        of = event("blood-request-created", request_id=n, event_id=an_id(n), occurred_at=at, required_by=at + MINUTE)
        yield "blood-request-created", key_of("blood-request-created", of), CODEC.encode("blood-request-created", of)
        offered = [(n * 31 + k) % N_STATES for k in range(TOP_K)]
        of = matches_of(offered, request_id=n, event_id=an_id(n), request_event_id=an_id(n), occurred_at=at)
        for offer in of["matches"]:
            offer |= {"answers_within": [0.125, 0.25, 0.5], "behaviour": [0.5] * 12}
        yield "matches", key_of("matches", of), CODEC.encode("matches", of)


@pytest.mark.parametrize(
    ("what", "records", "n_records"),
    [
        ("donor states, each another donor's", states, N_STATES),
        (f"requests and their matches, top {TOP_K}", answers, 2 * N_REQUESTS),
    ],
)
def test_from_the_topics_into_postgres(broker, postgres, what, records, n_records):
    prefix = f"b{uuid.uuid4().hex[:8]}-"
    make_topics(broker.bootstrap_servers, prefix)
    publish(broker.bootstrap_servers, prefix, records())
    rates = []
    for run in range(3):
        name = f"{prefix}{run}".replace("-", "_")
        postgres.create_database(name)
        url = postgres.url_of(name)
        upgrade(url)
        engine = create_engine(url)

        def n_recorded(engine=engine):
            with engine.connect() as connection:
                return connection.execute(text("SELECT coalesce(sum(next_offset), 0) FROM consumer_offsets")).scalar()

        with recording(settings_of(broker.bootstrap_servers, prefix, url)) as recorder:
            wait_until(lambda recorder=recorder: recorder.ready)
            began = time.perf_counter()
            wait_until(lambda: n_recorded() >= n_records, within_s=120, each_s=0.02)
            rates.append(n_records / (time.perf_counter() - began))
        engine.dispose()
        postgres.drop_database(name)
    table = [("what", "records", "records/s, one worker"), (what, f"{n_records:,}", spread(rates))]
    title = "Recording, from the topics into Postgres, medians of 3"
    print_table(title, table, "confluent-kafka", "sqlalchemy", "psycopg2-binary")
