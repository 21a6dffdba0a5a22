"""Writes batches: rows, and the offsets of the records that they came from, in one transaction.

One transaction, and what becomes of it if the process dies there:

1. move the offsets from where the writer believes them            rolled back by Postgres
2. write donors, prediction logs, forecasts, refused records       rolled back
3. take the lock of what two topics settle together; ask which
   events of requests are repeats; write what the others say       rolled back, the lock is let go
4. commit                                                          rows and offsets, or neither; who comes next
                                                                   reads the offsets and knows

A worker that slept through a rebalance finds its offsets moved by its successor and writes nothing. One that sleeps
within a transaction is cut off by Postgres, so that its successor doesn't wait for its locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from consumers.recording.folding import Folded
from consumers.recording.requests import folded_closings, folded_requests
from consumers.recording.rows import ClosingRow, ErasureRow, RequestEvent, RequestRow
from smartblood.errors import Retryable
from smartblood.storage import answers, artefacts, demand, forecasts, outcomes, repeats
from smartblood.storage import statements as sql
from smartblood.storage.artefacts import Artefacts, no_artefacts
from smartblood.storage.bulk import Incoming, Offset
from smartblood.storage.connected import Connected
from smartblood.storage.engine import translated
from smartblood.storage.tables import CONSUMER_OFFSETS

SETTLING_LOCK = 7_352_911_002
"""Key of the advisory lock: a request and its closing may be read by two workers at once, and each would miss what
the other has not committed yet."""

Place = tuple[str, int]
"""A topic as the cluster has it, and a partition."""


class OwnershipLost(Retryable):
    """Another worker has recorded further than this one believes: {places}; its batch is thrown away."""


def no_probe(_: str) -> None:
    """Do nothing at a step; tests put something here that ends the process."""


class Sink(Connected):
    """The record in Postgres.

    Parameters
    ----------
    url : str
        SQLAlchemy's URL.
    tell_artefacts : callable, optional
        Tells what artefacts of models there are, for ``model_artifacts``.
    releases_topic : str
        The topic of releases, as the cluster has it.
    probe : callable, optional
        Told each step's name: ``begun``, ``offsets moved``, ``rows written``, ``committed``.

    Raises
    ------
    Fatal
        If the URL is none of Postgres.
    """

    def __init__(
        self,
        url: str,
        *,
        tell_artefacts: Artefacts = no_artefacts,
        releases_topic: str = "model-released",
        probe: Callable[[str], None] = no_probe,
    ) -> None:
        super().__init__(url)
        self._tell_artefacts = tell_artefacts
        self._releases_topic = releases_topic
        self._probe = probe

    def show_models(self) -> None:
        """Show the champion of each model as of what is recorded: the default where nothing was released.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        there = self._tell_artefacts()
        with translated("the models"), self._engine.begin() as connection:
            _take_lock(connection)
            artefacts.settle(connection, [*there, *artefacts.released_models(connection)], there)

    def positions(self, topic_ids: Mapping[Place, str | None]) -> dict[Place, int]:
        """Return where recording goes on in each partition; 0 where nothing was recorded yet.

        A topic that was made anew under its name is recorded from its beginning. Of releases the last word holds, and
        offsets tell which that is: those of the topic that is gone are forgotten.

        Parameters
        ----------
        topic_ids : mapping of place to str or None
            The partitions, and their topics' ids on the cluster where it tells them.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        table = CONSUMER_OFFSETS
        new = [
            {"topic": topic, "partition": partition, "next_offset": 0, "topic_id": topic_id}
            for (topic, partition), topic_id in sorted(topic_ids.items())
        ]
        with translated("the offsets"), self._engine.begin() as connection:
            connection.execute(insert(table).on_conflict_do_nothing(), new)
            asked = select(table).where(tuple_(table.c.topic, table.c.partition).in_(list(topic_ids)))
            found: dict[Place, int] = {}
            for topic, partition, next_offset, topic_id in connection.execute(asked.with_for_update()):
                place = (topic, partition)
                anew = None not in {topic_id, topic_ids[place]} and topic_id != topic_ids[place]
                if anew or topic_id != (topic_ids[place] or topic_id):
                    changed = update(table).where(table.c.topic == topic, table.c.partition == partition)
                    kept = {} if not anew else {"next_offset": 0}
                    connection.execute(changed.values(topic_id=topic_ids[place], **kept))
                if anew and topic == self._releases_topic:
                    self._forget_releases(connection)
                found[place] = 0 if anew else next_offset
        return found

    def _forget_releases(self, connection: Connection) -> None:
        _take_lock(connection)
        artefacts.settle(connection, artefacts.forget_releases(connection), self._tell_artefacts())

    def write(self, rows: Folded, offsets: Sequence[Offset]) -> None:
        """Write a batch and move its offsets, both or neither.

        Raises
        ------
        OwnershipLost
            If an offset isn't where the writer believes it.
        RefusedByDatabase
            If Postgres can't hold a value among the rows.
        Retryable
            If Postgres doesn't answer; perhaps the batch was written: the offsets say.
        Fatal
            If Postgres refuses us.
        """
        with translated("the record"), self._engine.begin() as connection:
            self._probe("begun")
            self._move(connection, offsets)
            self._probe("offsets moved")
            _write_alone(connection, rows)
            if any((rows.request_events, rows.waves, rows.responses, rows.erasures, rows.releases)) or any(
                (rows.outcomes, rows.stream_times)
            ):
                _take_lock(connection)
                _write_requests(connection, rows.request_events)
                _write_offers(connection, rows)
                self._write_releases(connection, rows)
            self._probe("rows written")
        self._probe("committed")

    def _write_releases(self, connection: Connection, rows: Folded) -> None:
        if rows.releases:
            _put(connection, artefacts.PUT_RELEASES, artefacts.RELEASES, rows.releases)
            touched = {row.model_name for row in rows.releases}
            artefacts.settle(connection, touched, self._tell_artefacts())

    def _move(self, connection: Connection, offsets: Sequence[Offset]) -> None:
        if not offsets:
            return
        moved = connection.execute(sql.MOVE_OFFSETS, sql.OFFSETS.arguments(sorted(offsets))).rowcount
        if moved != len(offsets):
            places = ", ".join(f"{offset.topic}/{offset.partition}" for offset in offsets)
            message = f"another worker has recorded further than this one believes, among {places}"
            raise OwnershipLost(message)


def _take_lock(connection: Connection) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(SETTLING_LOCK)))


def _put(connection: Connection, statement: Executable, incoming: Incoming, rows: Iterable[Sequence[Any]]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(statement, incoming.arguments(listed))


def _write_alone(connection: Connection, rows: Folded) -> None:
    """Write what one topic alone says."""
    _put(connection, sql.PUT_DONORS, sql.DONOR_ROWS, rows.donors)
    _put(connection, sql.DROP_DONORS, sql.DEPARTURES, rows.departures)
    _put(connection, sql.PUT_PREDICTIONS, sql.PREDICTIONS, rows.predictions)
    _put(connection, forecasts.PUT_FORECASTS, forecasts.FORECASTS, rows.forecasts)
    _put(connection, forecasts.PUT_MAINTENANCE, forecasts.MAINTENANCE_ROWS, rows.maintenance)
    _put(connection, sql.PUT_REFUSALS, sql.REFUSALS, rows.refusals)


def _write_requests(connection: Connection, events: Sequence[RequestEvent]) -> None:
    new = repeats.taken_in(connection, events)
    if not new:
        return
    asked = sql.TOUCHED.arguments([(each,) for each in sorted({event.row.request_id for event in new})])
    closings = folded_closings(event.says for event in new if isinstance(event.says, ClosingRow))
    requests = folded_requests(event.says for event in new if isinstance(event.says, RequestRow))
    before = demand.counted(connection, asked)
    _put(connection, sql.PUT_CLOSINGS, sql.CLOSINGS, closings)
    _put(connection, sql.PUT_REQUESTS, sql.REQUESTS, requests)
    connection.execute(sql.SETTLE_REQUESTS, asked)
    demand.add(connection, before, demand.counted(connection, asked))


def _write_offers(connection: Connection, rows: Folded) -> None:
    erasures = _new_erasures(connection, rows.erasures)
    if rows.waves:
        arguments = sql.WAVES.arguments([wave.row for wave in rows.waves])
        new = set(connection.scalars(sql.PUT_WAVES, arguments))
        offers = [offer for wave in rows.waves if wave.row.request_event_id in new for offer in wave.offers]
        _put(connection, sql.PUT_OFFERS, sql.OFFERS, offers)
    _put(connection, answers.PUT_RESPONSES, answers.RESPONSES, rows.responses)
    _put(connection, outcomes.PUT_OUTCOMES, outcomes.OUTCOMES, rows.outcomes)
    _put(connection, outcomes.PUT_STREAM_TIMES, outcomes.STREAM_TIME_ROWS, rows.stream_times)
    for forget in (
        answers.FORGET_RESPONSES,
        answers.TRIM_RESPONSES,
        outcomes.FORGET_OUTCOMES,
        outcomes.TRIM_OUTCOMES,
        sql.FORGET_REFUSALS,
    ):
        _put(connection, forget, sql.ERASURES, erasures)
    _put(connection, sql.EMPTY_OFFERS, sql.ERASURES, erasures)


def _new_erasures(connection: Connection, erasures: Sequence[ErasureRow]) -> list[ErasureRow]:
    """Keep erasures, and return those that say something new: what the others empty was emptied before."""
    if not erasures:
        return []
    new = set(connection.scalars(sql.PUT_ERASURES, sql.ERASURES.arguments(erasures)))
    return [erasure for erasure in erasures if erasure.donor_id in new]
