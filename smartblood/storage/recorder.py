"""The recorder: reads its topics, and keeps in Postgres what they say.

One turn, and what becomes of it if the process dies there:

1. read records; project them to rows               nothing happened
2. one SQL transaction: offsets moved, rows written  both, or neither (see ``sink``)
3. tell the group's offsets to Kafka                 for lag tools alone; recording starts from what Postgres says

While Postgres, or a schema registry, doesn't answer the recorder stays in its group, reads nothing, and goes on from
the offsets that Postgres tells: so it doesn't matter how a transaction ended whose end it never heard.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential_jitter

from consumers.recording.folding import fold
from consumers.recording.projection import TOPOLOGY, Projection
from features.rule_set import INDIA_2020
from features.vectors import MATCH_FEATURES
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Record
from smartblood import logs, metrics
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.batches import Item, next_offsets
from smartblood.kafka.client import Cluster, KafkaSettings
from smartblood.kafka.gauges import Gauges
from smartblood.kafka.halving import FailureLimit
from smartblood.kafka.recording_source import RecordingSource
from smartblood.kafka.stuck import StuckDetector
from smartblood.storage.apart import apart
from smartblood.storage.artefacts import Artefacts, no_artefacts
from smartblood.storage.bulk import Offset
from smartblood.storage.engine import RefusedByDatabase, TooSlow
from smartblood.storage.projecting import Projected, Projecting, batches
from smartblood.storage.sink import Place, Sink, no_probe

RECORDS_MAX = 5_000
ROWS_MIN, ROWS_MAX = 100, 20_000
BYTES_MAX = 32 * 2**20
BATCH_WAIT_S = 0.1
POLL_S = 0.1
POLL_AGAIN_S = 2.0
"""So long are records waited for that were read before and not written: a turn without them says nothing."""

BEHIND_RECORDS = 1_000
BACKOFF_S_MAX = 5.0
STUCK_S = 120.0
STOP_GRACE_S = 4.0
"""How long Postgres may take to finish a batch once the recorder is asked to stop."""

Result = TypeVar("Result")


class RecorderSettings(KafkaSettings, Protocol):
    """What ``smartblood.settings`` says about Kafka and Postgres."""

    @property
    def database_url(self) -> str | None:
        """SQLAlchemy's URL."""


class Recorder:
    """Records as one worker.

    Parameters
    ----------
    settings : RecorderSettings
        Where Kafka and Postgres are.
    slot : str
        The worker's stable name among its kind.
    codec : Codec, optional
        What reads the values; the project's own schemas by default.
    feature_names : sequence of str
        Of ``donor_seeker_match``, in its manifest's order.
    tell_artefacts : callable, optional
        Tells what artefacts of models there are, for ``model_artifacts``.
    probe : callable, optional
        Told each step's name: ``placed``, ``fetched``, ``projected``, those of ``Sink``, ``acknowledged``.

    Raises
    ------
    Fatal
        If no Kafka or no Postgres is named.
    """

    def __init__(
        self,
        settings: RecorderSettings,
        slot: str,
        *,
        codec: Codec | None = None,
        feature_names: Sequence[str] = MATCH_FEATURES,
        tell_artefacts: Artefacts = no_artefacts,
        probe: Callable[[str], None] = no_probe,
    ) -> None:
        if not settings.database_url:
            message = "no Postgres is named: set SMARTBLOOD_DATABASE_URL, or use `smartblood up`"
            raise Fatal(message)
        self._cluster = Cluster.of(settings)
        self._slot = slot
        self._probe = probe
        self._log = logs.logger(processor=TOPOLOGY.name, slot=slot)
        self._projecting = Projecting(Projection(codec or Codec(), INDIA_2020, feature_names), self._cluster.topic)
        releases = self._cluster.topic("model-released")
        self._sink = Sink(settings.database_url, tell_artefacts=tell_artefacts, releases_topic=releases, probe=probe)
        self._gauges = Gauges(TOPOLOGY, slot)
        self._failures = FailureLimit()
        self._stuck = StuckDetector(f"{TOPOLOGY.name} {slot}", STUCK_S)
        self._topic_ids: dict[str, str | None] | None = None
        self._rows_max = ROWS_MAX
        self._is_tried_again = False
        self.n_recorded = 0
        self.ready = False

    def run(self, stop: threading.Event) -> None:
        """Record until ``stop`` is set; the batch in hand is written or rolled back, and the group is left.

        Raises
        ------
        Fatal
            If it can't work like this, and a restart won't help: a migration is pending, a setting is wrong.
        """
        self._stop = stop
        self._stuck.start()
        try:
            self._patiently(lambda: self._apart(self._sink.require_up_to_date), stop.wait)
            self._patiently(lambda: self._apart(self._sink.show_models), stop.wait)
            if stop.is_set():
                return
            source = RecordingSource(
                self._cluster,
                TOPOLOGY.name,
                TOPOLOGY.sources,
                self._log,
                lambda statistics: self._gauges.lag(statistics, self._cluster, self._source.positions),
            )
            with source:
                self._source = source
                while not stop.is_set():
                    self._patiently(self._guarded_turn, self._keep_alive)
        finally:
            self.ready = False
            self._gauges.closed()
            self._sink.close()
            self._stuck.close()

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be recorded that what is there says little of now."""
        lags, source = self._gauges.lags, getattr(self, "_source", None)
        if source is not None and source.n_owned and not lags:
            return True  # the client hasn't told yet
        return sum(lags.values()) > BEHIND_RECORDS

    def _guarded_turn(self) -> None:
        """Do one turn; where the outside doesn't answer, read nothing more until placed anew.

        Raises
        ------
        Retryable
            If so: what was read was not, or perhaps not, written.
        """
        self._stuck.beat()
        try:
            self._turn()
        except Retryable as error:
            if isinstance(error, TooSlow):
                self._rows_max = max(self._rows_max // 2, ROWS_MIN)
            metrics.TRANSACTIONS.labels(TOPOLOGY.name, "aborted").inc()
            self._is_tried_again = True
            self._source.displace()
            raise
        self._is_tried_again = False

    def _turn(self) -> None:
        if self._source.unplaced:
            self._patiently(self._place, self._keep_alive)
        self._note_state()
        records = self._fetched()
        if not records:
            return
        self._probe("fetched")
        projected = [self._projecting.look_at(record) for record in records]
        self._probe("projected")
        for batch in batches(projected, self._rows_max):
            if self._stop.is_set():
                return
            self._stuck.beat()
            self._write(batch)
        self._rows_max = min(self._rows_max * 2, ROWS_MAX)

    def _fetched(self) -> list[Record]:
        """Take records until there are enough of them, or a moment has passed since the first."""
        records = self._source.poll(RECORDS_MAX, POLL_AGAIN_S if self._is_tried_again else POLL_S)
        until = time.monotonic() + BATCH_WAIT_S
        while records and len(records) < RECORDS_MAX and (left_s := until - time.monotonic()) > 0:
            if self._stop.is_set() or sum(len(record.value or b"") for record in records) > BYTES_MAX:
                break
            records.extend(self._source.poll(RECORDS_MAX - len(records), left_s))
        # A partition may have been lost, and come back, while we took more.
        return [record for record in records if self._is_next(record)]

    def _is_next(self, record: Record) -> bool:
        position = self._source.position((record.topic, record.partition))
        return position is not None and record.offset >= position

    def _write(self, batch: Sequence[Projected]) -> None:
        """Write a batch; where Postgres can't hold a value, halve it until the record is found, and refuse that."""
        try:
            self._transact(batch)
        except RefusedByDatabase as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._write(batch[:middle])
                self._write(batch[middle:])
            else:
                self._transact([self._refused_by_database(batch[0], error)])

    def _refused_by_database(self, projected: Projected, error: RefusedByDatabase) -> Projected:
        record = projected.item.record
        if projected.item.error is not None:
            message = f"Postgres can't even hold that {record.topic} was refused: {error.reason}"
            raise AssertionError(message)
        return self._projecting.refused(record, InvalidRecord(f"Postgres can't hold it: {error.reason}", kind="range"))

    def _transact(self, batch: Sequence[Projected]) -> None:
        stages = self._gauges.batch(len(batch))
        items = [projected.item for projected in batch]
        failures = self._failures.after([item.ours for item in items])
        rows = fold(row for projected in batch for row in projected.rows)
        stages.done("process")
        offsets = next_offsets(item.record for item in items)
        moves = self._moves(offsets)
        self._apart(lambda: self._sink.write(rows, moves))
        stages.done("commit")
        metrics.TRANSACTIONS.labels(TOPOLOGY.name, "committed").inc()
        self._failures = failures
        self.n_recorded += len(items)
        self._source.acknowledge(offsets)
        self._probe("acknowledged")
        self._gauges.committed(items, (), stages)
        self._alarm_of(items)

    def _moves(self, offsets: Mapping[Place, int]) -> list[Offset]:
        moves = []
        for (topic, partition), next_offset in offsets.items():
            expected = self._source.position((topic, partition))
            assert expected is not None, f"{topic}/{partition} is written without being owned"  # noqa: S101 - a bug
            moves.append(Offset(self._cluster.topic(topic), partition, next_offset, expected))
        return moves

    def _place(self) -> None:
        """Find where recording goes on in the partitions that we own and don't read yet."""
        if self._topic_ids is None or any(self._topic_ids[topic] is None for topic, _ in self._source.unplaced):
            self._topic_ids = self._source.topic_ids()
        asked = {
            (self._cluster.topic(topic), partition): self._topic_ids[topic]
            for topic, partition in self._source.unplaced
        }
        if asked:
            found = self._apart(lambda: self._sink.positions(asked))
            self._source.place({(self._cluster.contract_name(at[0]), at[1]): found[at] for at in found})
            self._probe("placed")

    def _patiently(self, action: Callable[[], None], wait: Callable[[float], object]) -> None:
        """Do it as soon as the outside answers; give up when asked to stop."""

        def sleep(wait_s: float) -> None:
            wait(wait_s)

        retrying = Retrying(
            retry=retry_if_exception_type(Retryable),
            wait=wait_exponential_jitter(multiplier=0.1, max=BACKOFF_S_MAX, jitter=0.1),
            stop=stop_when_event_set(self._stop),
            sleep=sleep,
            before_sleep=self._say_waiting,
            retry_error_callback=lambda _: None,
        )
        retrying(action)

    def _apart(self, action: Callable[[], Result]) -> Result:
        return apart(action, self._stop.is_set, grace_s=STOP_GRACE_S)

    def _say_waiting(self, state: RetryCallState) -> None:
        self.ready = False
        self._note_state()
        self._stuck.beat()
        error = state.outcome.exception() if state.outcome is not None else None
        self._log.warning("waiting", why=str(error), n_tries=state.attempt_number)

    def _keep_alive(self, wait_s: float) -> None:
        self._source.keep_alive(wait_s, self._stop.is_set)

    def _note_state(self) -> None:
        source = getattr(self, "_source", None)
        if source is None:
            return
        n_unplaced = len(source.unplaced)
        self.ready = source.settled and not n_unplaced and not self._is_tried_again
        metrics.READY.labels(TOPOLOGY.name, self._slot).set(self.ready)
        metrics.PARTITIONS_OWNED.labels(TOPOLOGY.name, self._slot, "waiting").set(n_unplaced)
        metrics.PARTITIONS_OWNED.labels(TOPOLOGY.name, self._slot, "active").set(source.n_owned - n_unplaced)

    def _alarm_of(self, items: Sequence[Item]) -> None:
        refused = [(item.record, item.error) for item in items if item.error is not None]
        if refused:
            record, error = refused[0]
            self._log.warning("records refused", n_refused=len(refused), first_kind=error.kind, **logs.place(record))
