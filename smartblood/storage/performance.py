"""What models are judged by, read back: waves and who was asked in them, what came of it, releases; and the judgement.

Reading is bounded: a window of stream time, by an index on the waves, and so many alerts at most, the latest.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Connection, Table, Text, bindparam, cast, delete, extract, func, select
from sqlalchemy.dialects.postgresql import insert

from features.outcomes import FACTS, Turn
from smartblood.storage.connected import Connected
from smartblood.storage.engine import translated
from smartblood.storage.tables import (
    BLOOD_REQUESTS,
    DONOR_OUTCOMES,
    EVENT_ID,
    MATCH_PREDICTIONS,
    MATCH_WAVES,
    MODEL_DRIFT,
    MODEL_PERFORMANCE,
    MODEL_RELEASES,
    REQUEST_CLOSINGS,
    STREAM_TIMES,
)

OUTCOME_TOPICS = ("donor-responded", "donation-recorded")
"""Outcomes are known until the instant that both have come to."""

DAY_US = 86_400_000_000
FETCHED_AT_ONCE = 2_000
WRITING_LOCK = 7_352_911_003
"""Key of the advisory lock: of two workers that judge at once the later judgement stays."""


class WaveOf(NamedTuple):
    """A wave; ``required_by`` is that of the request's latest statement, ``closed_at`` of its last closing, if any."""

    request_id: int
    number: int
    made_at: int
    required_by: int
    closed_at: int | None
    models: tuple[tuple[str, str, str], ...]


class Asked(NamedTuple):
    """An offer whose donor was notified; ``features`` are empty where the donor was erased."""

    wave: str
    key: tuple[int, int, int]
    notified_at: int
    match_score: float
    availability_score: float
    reliability_score: float
    answers_within: list[float | None] | None
    behaviour: bytes | None
    features: Mapping[str, float | None]
    shadow_scores: Sequence[Mapping[str, Any]]
    since: tuple[int | None, ...]


class Released(NamedTuple):
    """What was said of a version, and when; roles in lower case."""

    version: str
    sha256: str
    role: str
    released_at: int


class Recorded(NamedTuple):
    """All that a judgement needs.

    Parameters
    ----------
    as_of : int
        Stream time until which outcomes are known, microseconds.
    waves : mapping of str to WaveOf
        By the id of the event that they answer.
    asked : list of Asked
        Latest wave first.
    turns : mapping of (int, int) to list of Turn
        By request and donor, of those who were notified of several of its waves; ascending.
    releases : mapping of str to list of Released
        Of each model, in their order.
    is_cut : bool
        Whether there were more.
    """

    as_of: int
    waves: Mapping[str, WaveOf]
    asked: Sequence[Asked]
    turns: Mapping[tuple[int, int], Sequence[Turn]]
    releases: Mapping[str, Sequence[Released]]
    is_cut: bool


class Judgements(Connected):
    """The judgements of models in Postgres, and what they are made of."""

    def as_of(self) -> int | None:
        """Return until when outcomes are known, stream time; None where nothing came of anything yet."""
        with translated("stream time"), self._engine.connect() as connection:
            return _as_of(connection)

    def judged_as_of(self) -> int | None:
        """Return as of when the last judgement is; None where there is none."""
        asked = select(_us(func.max(MODEL_PERFORMANCE.c.as_of)))
        with translated("the last judgement"), self._engine.connect() as connection:
            return connection.scalar(asked)

    def read(self, window_days: int, alerts_max: int) -> Recorded | None:
        """Read what a judgement of the last days needs; None where nothing came of anything yet.

        Raises
        ------
        Retryable
            If Postgres doesn't answer.
        """
        with translated("what models are judged by"), self._engine.connect() as connection:
            as_of = _as_of(connection)
            if as_of is None:
                return None
            after = as_of - window_days * DAY_US
            asked = _asked(connection, after, as_of, alerts_max + 1)
            waves = _waves(connection, sorted({one.wave for one in asked}))
            turns = _turns(connection, sorted({one.key[0] for one in asked}))
            return Recorded(as_of, waves, asked[:alerts_max], turns, _releases(connection), len(asked) > alerts_max)

    def write(self, as_of: int, performances: Sequence[Mapping[str, Any]], drifts: Sequence[Mapping[str, Any]]) -> bool:
        """Put the judgement of a day in place of the one before; return whether it is the latest.

        Parameters
        ----------
        as_of : int
            Stream time of the judgement, microseconds.
        performances, drifts : sequence of mapping
            Rows of ``model_performance`` and ``model_drift``, without ``day`` and ``as_of``.
        """
        instant = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=as_of)
        with translated("the judgement"), self._engine.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(WRITING_LOCK)))
            last = connection.scalar(select(func.max(MODEL_PERFORMANCE.c.as_of)))
            if last is not None and last > instant:
                return False
            for table, rows in ((MODEL_PERFORMANCE, performances), (MODEL_DRIFT, drifts)):
                _put_day(connection, table, instant, rows)
        return True

    def latest(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows of the last judgement: of ``model_performance``, and of ``model_drift``."""
        with translated("the last judgement"), self._engine.connect() as connection:
            performances, drifts = (_last(connection, table) for table in (MODEL_PERFORMANCE, MODEL_DRIFT))
        return performances, drifts


def _us(instant: Any) -> Any:  # noqa: ANN401 - a column
    """Return an instant as microseconds since 1970: ``extract`` of epoch is exact."""
    return cast(extract("epoch", instant) * 1_000_000, BigInteger)


def _at(us: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)


def _as_of(connection: Connection) -> int | None:
    found = connection.execute(
        select(STREAM_TIMES.c.topic, _us(STREAM_TIMES.c.latest_at)).where(STREAM_TIMES.c.topic.in_(OUTCOME_TOPICS))
    ).all()
    return min(at for _, at in found) if len(found) == len(OUTCOME_TOPICS) else None


def _waves(connection: Connection, event_ids: Sequence[str]) -> dict[str, WaveOf]:
    wave, request, closing = MATCH_WAVES.c, BLOOD_REQUESTS.c, REQUEST_CLOSINGS.c
    asked = (
        select(
            wave.request_event_id,
            wave.request_id,
            wave.wave,
            _us(wave.created_at),
            _us(func.coalesce(request.required_by, wave.required_by)),
            _us(closing.closed_at),
            wave.models,
        )
        .select_from(
            MATCH_WAVES.outerjoin(BLOOD_REQUESTS, request.id == wave.request_id).outerjoin(
                REQUEST_CLOSINGS, closing.request_id == wave.request_id
            )
        )
        .where(wave.request_event_id == func.any(cast(bindparam("ids", type_=Text()), ARRAY(EVENT_ID))))
    )
    return {
        str(event_id): WaveOf(
            request_id,
            number,
            made_at,
            required_by,
            closed_at,
            tuple((one["model"], one["version"], one["sha256"]) for one in models),
        )
        for event_id, request_id, number, made_at, required_by, closed_at, models in connection.execute(
            asked, {"ids": "{" + ",".join(event_ids) + "}"}
        )
    }


def _asked(connection: Connection, after: int, until: int, n_max: int) -> list[Asked]:
    offer, wave, outcome = MATCH_PREDICTIONS.c, MATCH_WAVES.c, DONOR_OUTCOMES.c
    asked = (
        select(
            offer.request_event_id,
            offer.request_id,
            offer.wave,
            offer.donor_id,
            _us(offer.notified_at),
            offer.match_score,
            offer.availability_score,
            offer.reliability_score,
            offer.answers_within,
            offer.behaviour,
            offer.feature_vector,
            offer.shadow_scores,
            *(_us(outcome[f"{fact}_at"]) for fact in FACTS),
        )
        .select_from(
            MATCH_WAVES.join(MATCH_PREDICTIONS, offer.request_event_id == wave.request_event_id).outerjoin(
                DONOR_OUTCOMES,
                (outcome.donor_id == offer.donor_id) & (outcome.request_id == offer.request_id),
            )
        )
        .where(wave.created_at > _at(after), wave.created_at <= _at(until), wave.models.is_not(None))
        .where(offer.notified_at.is_not(None))
        .order_by(wave.created_at.desc(), wave.request_event_id, offer.rank)
        .limit(n_max)
    )
    rows = connection.execution_options(yield_per=FETCHED_AT_ONCE).execute(asked)
    return [_asked_of(row) for row in rows]


def _turns(connection: Connection, request_ids: Sequence[int]) -> dict[tuple[int, int], list[Turn]]:
    """Return who was notified of several waves; whether a judgement speaks of them or not."""
    offer, wave = MATCH_PREDICTIONS.c, MATCH_WAVES.c
    ids = func.any(cast(bindparam("ids", type_=Text()), ARRAY(BigInteger)))
    again = select(wave.request_id).where(wave.request_id == ids, wave.wave > 1)
    asked = (
        select(offer.request_id, offer.donor_id, offer.wave, _us(func.min(offer.notified_at)))
        .where(offer.request_id.in_(again), offer.notified_at.is_not(None))
        .group_by(offer.request_id, offer.donor_id, offer.wave)
    )
    found: defaultdict[tuple[int, int], list[Turn]] = defaultdict(list)
    for request_id, donor_id, number, at in connection.execute(
        asked, {"ids": f"{{{','.join(map(str, request_ids))}}}"}
    ):
        found[request_id, donor_id].append(Turn(at, number))
    return {pair: sorted(turns) for pair, turns in found.items() if len(turns) > 1}


def _asked_of(row: Sequence[Any]) -> Asked:
    event_id, request_id, wave, donor_id, notified_at, match, availability, reliability, *rest = row
    within, behaviour, features, shadows, *since = rest
    return Asked(
        wave=str(event_id),
        key=(request_id, wave, donor_id),
        notified_at=notified_at,
        match_score=match,
        availability_score=availability,
        reliability_score=reliability,
        answers_within=within,
        behaviour=None if behaviour is None else bytes(behaviour),
        features=features,
        shadow_scores=shadows or (),
        since=tuple(since),
    )


def _releases(connection: Connection) -> dict[str, list[Released]]:
    of = MODEL_RELEASES.c
    found: dict[str, list[Released]] = {}
    asked = select(of.model_name, of.version, of.sha256, of.role, _us(of.released_at)).order_by(of.release_offset)
    for model, *said in connection.execute(asked):
        found.setdefault(model, []).append(Released(*said))
    return found


def _put_day(connection: Connection, table: Table, instant: dt.datetime, rows: Iterable[Mapping[str, Any]]) -> None:
    day = instant.date()
    connection.execute(delete(table).where(table.c.day == day))
    listed = [{"day": day, "as_of": instant, **row} for row in rows]
    if listed:
        connection.execute(insert(table), listed)


def _last(connection: Connection, table: Table) -> list[dict[str, Any]]:
    last = select(func.max(MODEL_PERFORMANCE.c.as_of)).scalar_subquery()
    key = list(table.primary_key.columns)
    found = connection.execute(select(table).where(table.c.as_of == last).order_by(*key))
    return [dict(row) for row in found.mappings()]
