"""What came of asking donors, as statements: facts are added to those known, and of the erased none is kept.

Which of two events came first doesn't show: of an expiry the last instant counts, of everything else the first.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from consumers.recording.rows import OutcomeRow, StreamTimeRow
from features.outcomes import EXPIRED, FACTS
from smartblood.storage.bulk import Incoming
from smartblood.storage.statements import ERASURES
from smartblood.storage.tables import DONOR_OUTCOMES, ERASED_DONORS, STREAM_TIMES

INSTANTS = tuple(f"{fact}_at" for fact in FACTS)
OUTCOMES = Incoming(DONOR_OUTCOMES, OutcomeRow._fields)


def _put_outcomes() -> Insert:
    new, erased_at = OUTCOMES.rows, ERASED_DONORS.c.erased_at
    coming = (
        select(new.c.donor_id, new.c.request_id, *(_unless_erased(new.c[name], erased_at) for name in INSTANTS))
        .select_from(new.outerjoin(ERASED_DONORS, ERASED_DONORS.c.donor_id == new.c.donor_id))
        .where(or_(erased_at.is_(None), _last(new.c) > erased_at))
    )
    statement = insert(DONOR_OUTCOMES).from_select(list(OutcomeRow._fields), coming)
    changed = {
        name: (func.greatest if name == f"{EXPIRED}_at" else func.least)(
            DONOR_OUTCOMES.c[name], statement.excluded[name]
        )
        for name in INSTANTS
    }
    return statement.on_conflict_do_update(index_elements=["donor_id", "request_id"], set_=changed)


def _unless_erased(at: ColumnElement[Any], erased_at: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((or_(erased_at.is_(None), at > erased_at), at), else_=null())


def _last(facts: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a set of columns
    return func.greatest(*(facts[name] for name in INSTANTS))


def _first(facts: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a set of columns
    return func.least(*(facts[name] for name in INSTANTS))


PUT_OUTCOMES = _put_outcomes()

_KNOWN, _ERASURE = DONOR_OUTCOMES.c, ERASURES.rows.c

FORGET_OUTCOMES = delete(DONOR_OUTCOMES).where(
    _KNOWN.donor_id == _ERASURE.donor_id,
    _last(_KNOWN) <= _ERASURE.erased_at,
)
"""What came of asking the erased goes, for erasures that are new."""

TRIM_OUTCOMES = (
    update(DONOR_OUTCOMES)
    .values({name: _unless_erased(_KNOWN[name], _ERASURE.erased_at) for name in INSTANTS})
    .where(_KNOWN.donor_id == _ERASURE.donor_id, _first(_KNOWN) <= _ERASURE.erased_at)
)
"""Of facts before the erasure and after it, the later alone are left."""

STREAM_TIME_ROWS = Incoming(STREAM_TIMES, StreamTimeRow._fields)


def _put_stream_times() -> Insert:
    statement = insert(STREAM_TIMES).from_select(list(StreamTimeRow._fields), select(*STREAM_TIME_ROWS.rows.c))
    later = func.greatest(STREAM_TIMES.c.latest_at, statement.excluded.latest_at)
    return statement.on_conflict_do_update(index_elements=["topic"], set_={"latest_at": later})


PUT_STREAM_TIMES = _put_stream_times()
