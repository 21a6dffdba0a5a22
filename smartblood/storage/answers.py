"""What donors answered, as statements: it goes to the offer, or waits for it; of the erased nothing waits.

An offer keeps what was said of it, as the contract has it. What waits is in nobody's row yet, so an erasure takes what
was said until its instant, whichever came first; what was said later is the new person's. Where recording is so far
behind that an offer comes after both, it is kept without the answer, which nobody may have remembered until then.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, case, delete, exists, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from consumers.recording.rows import ResponseRow
from smartblood.storage.bulk import Incoming
from smartblood.storage.statements import ERASURES, response_hours
from smartblood.storage.tables import DONOR_RESPONSES, ERASED_DONORS, MATCH_PREDICTIONS

RESPONSES = Incoming(DONOR_RESPONSES, ResponseRow._fields)


def _put_responses() -> Insert:
    new, offer = select(*RESPONSES.rows.c).cte("new"), MATCH_PREDICTIONS.c
    notified_at = func.least(offer.notified_at, new.c.notified_at)
    answered_at = func.least(offer.answered_at, new.c.answered_at)
    told = (
        update(MATCH_PREDICTIONS)
        .values(
            notified=notified_at.is_not(None),
            notified_at=notified_at,
            answered_at=answered_at,
            actual_response_time=response_hours(notified_at, answered_at),
            updated_at=func.greatest(offer.created_at, notified_at, answered_at),
        )
        .where(
            offer.request_id == new.c.request_id,
            offer.wave == new.c.wave,
            offer.donor_id == new.c.donor_id,
        )
        .returning(offer.donor_id, offer.request_id, offer.wave)
        .cte("told")
    )
    is_told = exists().where(
        told.c.donor_id == new.c.donor_id,
        told.c.request_id == new.c.request_id,
        told.c.wave == new.c.wave,
    )
    erased_at = ERASED_DONORS.c.erased_at
    waiting = (
        select(
            new.c.donor_id,
            new.c.request_id,
            new.c.wave,
            _unless_erased(new.c.notified_at, erased_at),
            _unless_erased(new.c.answered_at, erased_at),
        )
        .select_from(new.outerjoin(ERASED_DONORS, ERASED_DONORS.c.donor_id == new.c.donor_id))
        .where(~is_told, or_(erased_at.is_(None), _latest(new.c) > erased_at))
    )
    statement = insert(DONOR_RESPONSES).from_select(list(ResponseRow._fields), waiting)
    return statement.on_conflict_do_update(
        index_elements=["donor_id", "request_id", "wave"],
        set_={
            name: func.least(DONOR_RESPONSES.c[name], statement.excluded[name])
            for name in ("notified_at", "answered_at")
        },
    )


def _unless_erased(at: ColumnElement[Any], erased_at: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((or_(erased_at.is_(None), at > erased_at), at), else_=null())


def _latest(response: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a set of columns
    """Return the later of the two instants of a response; of one that is null, the other."""
    return func.greatest(response.notified_at, response.answered_at)


PUT_RESPONSES = _put_responses()
"""Responses go to the offers that they are about; those whose offer hasn't come yet wait for it."""

_KNOWN, _ERASURE = DONOR_RESPONSES.c, ERASURES.rows.c

FORGET_RESPONSES = delete(DONOR_RESPONSES).where(
    _KNOWN.donor_id == _ERASURE.donor_id,
    _latest(_KNOWN) <= _ERASURE.erased_at,
)
"""What waits of the erased goes, for erasures that are new."""

TRIM_RESPONSES = (
    update(DONOR_RESPONSES)
    .values({name: _unless_erased(_KNOWN[name], _ERASURE.erased_at) for name in ("notified_at", "answered_at")})
    .where(
        _KNOWN.donor_id == _ERASURE.donor_id,
        func.least(_KNOWN.notified_at, _KNOWN.answered_at) <= _ERASURE.erased_at,
    )
)
"""Of a notice before the erasure and an answer after it, or the other way about, the later alone is left."""
