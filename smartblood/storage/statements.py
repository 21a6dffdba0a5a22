"""What a batch writes, as statements: each takes all rows of its kind at once, and doesn't care which topic was first.

Rows of one table that come from two topics (a request and its closing, an offer and the responses to it, an erasure
and what it empties) are settled here, for the ids that the batch touches. That needs one writer at a time: see
``sink``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Double,
    Table,
    Text,
    Update,
    and_,
    case,
    cast,
    delete,
    extract,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from consumers.recording.rows import (
    ClosingRow,
    DepartureRow,
    DonorRow,
    ErasureRow,
    OfferRow,
    PredictionRow,
    RefusedRow,
    RequestRow,
    WaveRow,
)
from smartblood.storage.bulk import Incoming, Offset
from smartblood.storage.tables import (
    BLOOD_REQUESTS,
    CONSUMER_OFFSETS,
    DONOR_RESPONSES,
    DONORS,
    ERASED_DONORS,
    MATCH_PREDICTIONS,
    MATCH_WAVES,
    MODEL_PREDICTION_LOGS,
    REFUSED_RECORDS,
    REQUEST_CLOSINGS,
)

_EXPECTED: Column[int] = Column("expected", BigInteger)

OFFSETS = Incoming(CONSUMER_OFFSETS, Offset._fields, besides=[_EXPECTED])
MOVE_OFFSETS = (
    update(CONSUMER_OFFSETS)
    .values(next_offset=OFFSETS.rows.c.next_offset)
    .where(
        CONSUMER_OFFSETS.c.topic == OFFSETS.rows.c.topic,
        CONSUMER_OFFSETS.c.partition == OFFSETS.rows.c.partition,
        CONSUMER_OFFSETS.c.next_offset == OFFSETS.rows.c.expected,
    )
)
"""Moves offsets from where the writer believes them; a row less than asked means that somebody else moved one."""


def _insert(table: Table, incoming: Incoming, **values: ColumnElement[Any]) -> Insert:
    columns = {each.name: each for each in incoming.rows.c} | values
    return insert(table).from_select(list(columns), select(*columns.values()))


def _overwrite(table: Table, incoming: Incoming, key: str | list[str]) -> Insert:
    keys = [key] if isinstance(key, str) else key
    statement = _insert(table, incoming)
    changed = {each.name: statement.excluded[each.name] for each in incoming.rows.c if each.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


# Donors: the last state of each.

DONOR_ROWS = Incoming(DONORS, DonorRow._fields)
PUT_DONORS = _overwrite(DONORS, DONOR_ROWS, "id")
DEPARTURES = Incoming(DONORS, DepartureRow._fields)
DROP_DONORS = delete(DONORS).where(DONORS.c.id == DEPARTURES.rows.c.id)

# What stands by itself.

PREDICTIONS = Incoming(MODEL_PREDICTION_LOGS, PredictionRow._fields)
PUT_PREDICTIONS = _insert(MODEL_PREDICTION_LOGS, PREDICTIONS).on_conflict_do_nothing(index_elements=["event_id"])
REFUSALS = Incoming(REFUSED_RECORDS, RefusedRow._fields)
PUT_REFUSALS = _overwrite(REFUSED_RECORDS, REFUSALS, ["source_topic", "source_partition", "source_offset"])

# Requests and closings: of each the latest, then both together.

CLOSINGS = Incoming(REQUEST_CLOSINGS, ClosingRow._fields)


def _put_closings() -> Insert:
    statement, known = _insert(REQUEST_CLOSINGS, CLOSINGS), REQUEST_CLOSINGS.c
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["request_id"],
        set_={name: new[name] for name in ClosingRow._fields if name != "request_id"},
        where=tuple_(new.closed_at, new.event_id) > tuple_(known.closed_at, known.event_id),
    )


REQUESTS = Incoming(BLOOD_REQUESTS, RequestRow._fields)


def _put_requests() -> Insert:
    statement, known = _insert(BLOOD_REQUESTS, REQUESTS, updated_at=REQUESTS.rows.c.requested_at), BLOOD_REQUESTS.c
    new = statement.excluded
    later = tuple_(new.requested_at, new.request_event_id) > tuple_(known.requested_at, known.request_event_id)
    stated = [name for name in RequestRow._fields if name not in {"id", "created_at"}]
    changed: dict[str, Any] = {name: case((later, new[name]), else_=known[name]) for name in stated}
    changed["created_at"] = func.least(known.created_at, new.created_at)
    return statement.on_conflict_do_update(index_elements=["id"], set_=changed)


PUT_CLOSINGS = _put_closings()
PUT_REQUESTS = _put_requests()

TOUCHED = Incoming(BLOOD_REQUESTS, ("id",))


def _settle_requests() -> Any:  # noqa: ANN401 - SQLAlchemy's Update
    closed = (
        select(
            TOUCHED.rows.c.id.label("touched_id"),
            REQUEST_CLOSINGS.c.closed_at,
            REQUEST_CLOSINGS.c.status,
            REQUEST_CLOSINGS.c.units_fulfilled,
        )
        .select_from(TOUCHED.rows.outerjoin(REQUEST_CLOSINGS, REQUEST_CLOSINGS.c.request_id == TOUCHED.rows.c.id))
        .subquery("closed")
    )
    counts = closed.c.closed_at >= BLOOD_REQUESTS.c.requested_at
    return (
        update(BLOOD_REQUESTS)
        .values(
            status=case((counts, closed.c.status), else_=literal("open")),
            units_fulfilled=case((counts, closed.c.units_fulfilled), else_=null()),
            updated_at=func.greatest(BLOOD_REQUESTS.c.requested_at, closed.c.closed_at),
        )
        .where(BLOOD_REQUESTS.c.id == closed.c.touched_id)
    )


SETTLE_REQUESTS = _settle_requests()
"""A closing counts unless the request is later; ``updated_at`` is when the later of both was said."""

# Offers, the responses to them, and erasures.

WAVES = Incoming(MATCH_WAVES, WaveRow._fields)
PUT_WAVES = (
    _insert(MATCH_WAVES, WAVES)
    .on_conflict_do_nothing(index_elements=["request_event_id"])
    .returning(type_coerce(MATCH_WAVES.c.request_event_id, MATCH_WAVES.c.request_event_id.type))
)
"""Says which waves are new: offers of the others are there already, all of them."""

OFFERS = Incoming(MATCH_PREDICTIONS, OfferRow._fields)


def response_hours(notified_at: ColumnElement[Any], answered_at: ColumnElement[Any]) -> ColumnElement[Any]:
    """Hours from the notice to the answer; null where one is missing, or clocks say that the answer came first."""
    hours = cast(extract("epoch", answered_at - notified_at), Double) / 3600.0
    return case((answered_at >= notified_at, hours), else_=null())


def _made_before(
    created_at: ColumnElement[Any],
    offsets: ColumnElement[Any],
    erasure: Any,  # noqa: ANN401 - a set of columns
) -> ColumnElement[bool]:
    """Whether an answer was made before the erasure: by its instant, or since the matcher hadn't seen it yet."""
    seen = cast(offsets.op("->>")(cast(erasure.state_partition, MATCH_WAVES.c.empty_because.type)), BigInteger)
    return or_(created_at <= erasure.erased_at, seen <= erasure.state_offset)


def _put_offers() -> Insert:
    new = (
        select(
            *OFFERS.rows.c,
            MATCH_WAVES.c.request_id,
            MATCH_WAVES.c.wave,
            MATCH_WAVES.c.model_version,
            MATCH_WAVES.c.created_at,
            MATCH_WAVES.c.donor_state_offsets,
        )
        .join_from(OFFERS.rows, MATCH_WAVES, MATCH_WAVES.c.request_event_id == OFFERS.rows.c.request_event_id)
        .cte("new")
    )
    of_offer = and_(
        DONOR_RESPONSES.c.donor_id == new.c.donor_id,
        DONOR_RESPONSES.c.request_id == new.c.request_id,
        DONOR_RESPONSES.c.wave == new.c.wave,
    )
    waited = delete(DONOR_RESPONSES).where(of_offer).returning(*DONOR_RESPONSES.c).cte("waited")
    joined = new.outerjoin(
        waited,
        and_(
            waited.c.donor_id == new.c.donor_id,
            waited.c.request_id == new.c.request_id,
            waited.c.wave == new.c.wave,
        ),
    ).outerjoin(
        ERASED_DONORS,
        and_(
            ERASED_DONORS.c.donor_id == new.c.donor_id,
            _made_before(new.c.created_at, new.c.donor_state_offsets, ERASED_DONORS.c),
        ),
    )
    erased = ERASED_DONORS.c.donor_id.is_not(None)
    kept = {each.name: each for each in new.c if each.name != "donor_state_offsets"}
    values = kept | {
        **{name: case((erased, left), else_=new.c[name]) for name, left in _left_of_the_erased().items()},
        "notified": waited.c.notified_at.is_not(None),
        "actual_response_time": response_hours(waited.c.notified_at, waited.c.answered_at),
        "updated_at": func.greatest(new.c.created_at, waited.c.notified_at, waited.c.answered_at),
        "notified_at": waited.c.notified_at,
        "answered_at": waited.c.answered_at,
    }
    ordered = select(*values.values()).select_from(joined).order_by(new.c.request_event_id, new.c.rank)
    return insert(MATCH_PREDICTIONS).from_select(list(values), ordered)


def _empty() -> ColumnElement[Any]:
    kind = MATCH_PREDICTIONS.c.feature_vector.type
    return cast(literal("{}", MATCH_WAVES.c.empty_because.type), kind)


def _left_of_the_erased() -> dict[str, ColumnElement[Any]]:
    """Return what an offer to a donor who was erased says of the person: nothing."""
    gone = ("distance_km", "behaviour", "blood_group", "compatibility_tier")
    return {"feature_vector": _empty(), **{name: null() for name in gone}}


PUT_OFFERS = _put_offers()

ERASURES = Incoming(ERASED_DONORS, ErasureRow._fields)


def _put_erasures() -> Any:  # noqa: ANN401 - SQLAlchemy's ReturningInsert
    statement = _insert(ERASED_DONORS, ERASURES)
    new = statement.excluded
    changed = statement.on_conflict_do_update(
        index_elements=["donor_id"],
        set_={name: new[name] for name in ErasureRow._fields if name != "donor_id"},
        where=new.erased_at > ERASED_DONORS.c.erased_at,
    )
    return changed.returning(ERASED_DONORS.c.donor_id)


PUT_ERASURES = _put_erasures()
"""Says of whom an erasure is new. Every later state of a donor repeats it: it happened where the first one lies, and
whoever had seen that one knows nothing of the person before."""

EMPTY_OFFERS = (
    update(MATCH_PREDICTIONS)
    .values(_left_of_the_erased())
    .where(
        MATCH_PREDICTIONS.c.donor_id == ERASURES.rows.c.donor_id,
        MATCH_WAVES.c.request_event_id == MATCH_PREDICTIONS.c.request_event_id,
        _made_before(MATCH_PREDICTIONS.c.created_at, MATCH_WAVES.c.donor_state_offsets, ERASURES.rows.c),
    )
)
"""Offers of the erased keep their rows, without what was known of the person; for erasures that are new."""

_KEYED_BY_DONOR = ("donation-recorded", "donor-responded")


def _forget_refusals() -> Update:
    at, erased = REFUSED_RECORDS.c, ERASURES.rows.c
    key = func.convert_to(cast(erased.donor_id, Text), "UTF8")
    of_donors = or_(*(at.source_topic.endswith(topic, autoescape=True) for topic in _KEYED_BY_DONOR))
    return update(REFUSED_RECORDS).values(key=null(), value=null()).where(at.key == key, of_donors)


FORGET_REFUSALS = _forget_refusals()
"""Of refused records about the erased, the place and the error alone are left: what they say of when isn't known."""
