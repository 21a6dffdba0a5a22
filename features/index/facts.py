"""``donor-states`` into the index's columns, under a rule set.

References
----------
Who is considered at all: contracts section 1, *A donor's profile*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.eligibility import NEVER, NEVER_GAVE, Procedure
from features.eligibility_columns import FactColumns, eligible_spans
from features.geo import is_cell_of_resolution_8
from features.index.avro_columns import NULL, ColumnDecoder, Decoded
from features.index.columns import (
    APHERESIS_WILLING,
    CONTACTABLE,
    DTYPES,
    LAST,
    LIVE,
    NO_ENGAGEMENT,
    NOT_AWAY,
    PROMISE,
    Columns,
    Engagements,
    empty_engagements,
    taken,
)
from features.index.donor_index import DonorIndex
from features.index.fading import are_sound, fading_of, kept, worth_of
from features.kernels import kernel
from features.local_time import start_of_day
from features.rule_set import RuleSet
from schemas.catalogue import latest_schema
from schemas.logical_types import without_logical_types

TOPIC = "donor-states"
DAYS_MAX = 10_000_000
"""Days beyond are cut to this, 27,000 years from now, so that instants stay within 64 bits."""

MINUTES_MAX = 2**31 - 1
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000


class FactReader:
    """Reads values of ``donor-states`` into an index.

    Parameters
    ----------
    rules : RuleSet
        Under which eligibility is worked out.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        schema = without_logical_types(latest_schema(TOPIC).load())
        self._decoder = ColumnDecoder(schema)
        symbols = {field["name"]: field["type"]["symbols"] for field in schema["fields"] if _is_enum(field["type"])}
        self._male = symbols["sex"].index("MALE")

    def decode(self, values: Sequence[bytes], skip: int) -> Decoded:
        """Decode Avro bodies of the newest schema, each after ``skip`` bytes of its value."""
        return self._decoder.decode(values, skip)

    def donor_ids(self, decoded: Decoded) -> NDArray[np.int64]:
        """Return the donor of each body; where it wasn't read, anything."""
        return self._number(decoded, "donor_id")

    def take(self, index: DonorIndex, decoded: Decoded) -> NDArray[np.bool_]:
        """Put the donors of the bodies that could be read into ``index``, in their order.

        Returns
        -------
        ndarray of bool, shape (n,)
            False where the donor's cell is none of resolution 8, or what fades makes no sense: such a donor is in no
            list until that is put right.
        """
        is_registered = self._is_registered(decoded)
        fading = self._fading(decoded)
        is_sound = ~is_registered | (_are_cells(self._number(decoded, "h3_cell"), is_registered) & are_sound(fading))
        columns, engagements = self._columns(decoded, fading, is_registered & is_sound)
        read = np.flatnonzero(decoded.is_read)
        columns = taken(columns, read)
        alive = columns.flags & LIVE != 0
        columns.cell[alive] = index.numbers_of_cells(self._number(decoded, "h3_cell")[read][alive])
        index.put(columns, engagements)
        return is_sound

    def _fading(self, decoded: Decoded) -> dict[str, NDArray[np.float64]]:
        return fading_of(lambda name: self._number(decoded, name), lambda name: self._double(decoded, name))

    def _double(self, decoded: Decoded, name: str) -> NDArray[np.float64]:
        doubles: NDArray[np.float64] = decoded.double_bits[self._decoder.doubles[name]].view(np.float64)
        return doubles

    def _number(self, decoded: Decoded, name: str) -> NDArray[np.int64]:
        numbers: NDArray[np.int64] = decoded.numbers[self._decoder.numbers[name]]
        return numbers

    def _is_registered(self, decoded: Decoded) -> NDArray[np.bool_]:
        registered_at, erased_at = self._number(decoded, "registered_at"), self._number(decoded, "erased_at")
        is_registered: NDArray[np.bool_] = decoded.is_read & (registered_at != NULL) & (erased_at == NULL)
        return is_registered

    def columns(self, decoded: Decoded) -> Columns:
        """Return what the index would keep of all bodies, for whoever wants to see what a model sees of them."""
        return self._columns(decoded, self._fading(decoded), self._is_registered(decoded))[0]

    def _columns(
        self, decoded: Decoded, fading: Mapping[str, NDArray[np.float64]], is_alive: NDArray[np.bool_]
    ) -> tuple[Columns, Engagements]:
        def number(name: str) -> NDArray[np.int64]:
            return self._number(decoded, name)

        facts = self._facts(decoded)
        spans = [eligible_spans(facts, procedure, self._rules) for procedure in Procedure]
        (whole_blood_from, whole_blood_until), (apheresis_from, apheresis_until) = spans
        engagements, engaged = self._engagements(decoded, is_alive)
        flags = is_alive * LIVE + (number("contactable") != 0) * CONTACTABLE
        away_until = number("away_until")
        columns = {
            "donor_id": number("donor_id"),
            "cell": np.zeros(len(is_alive), np.int32),
            "group": number("blood_group"),
            "flags": flags + (number("apheresis_willing") != 0) * APHERESIS_WILLING,
            "whole_blood_from": whole_blood_from,
            "whole_blood_until": whole_blood_until,
            "apheresis_from": apheresis_from,
            "apheresis_until": apheresis_until,
            "last_donation_at": np.maximum(facts.whole_blood_at, facts.apheresis_at),
            "worth": worth_of(fading),
            "away_until": np.where(away_until == NULL, NOT_AWAY, away_until),
            "total_donations": number("total_donations"),
            "joined_on": np.clip(number("joined_at") // DAY_US, -DAYS_MAX, DAYS_MAX),
            "born_on": np.clip(number("born_on"), -DAYS_MAX, DAYS_MAX),
            "as_of": np.clip(number("occurred_at") // MINUTE_US, -MINUTES_MAX, MINUTES_MAX),
            "engaged": engaged,
            **kept(fading),
        }
        return Columns(
            **{name: column.astype(DTYPES[name], copy=False) for name, column in columns.items()}
        ), engagements

    def _facts(self, decoded: Decoded) -> FactColumns:
        limits = self._rules.limits
        lists = self._decoder.lists
        last_at, week_full_at, year_full_at = _latest(
            decoded.items,
            decoded.starts[lists["apheresis"]],
            decoded.n_items[lists["apheresis"]],
            (limits.n_apheresis_a_week, limits.n_apheresis_a_year),
        )
        deferred = _last_day(decoded.items, decoded.starts[lists["deferrals"]], decoded.n_items[lists["deferrals"]])
        until = start_of_day(np.clip(deferred, -DAYS_MAX, DAYS_MAX) + 1)
        whole_blood_at = self._number(decoded, "last_whole_blood_at")
        unreturned_at = self._number(decoded, "last_unreturned_apheresis_at")
        return FactColumns(
            born_on=self._number(decoded, "born_on"),
            is_male=self._number(decoded, "sex") == self._male,
            weight_kg=self._double(decoded, "weight_kg"),
            is_first=self._number(decoded, "total_donations") == 0,
            whole_blood_at=np.where(whole_blood_at == NULL, NEVER_GAVE, whole_blood_at),
            apheresis_at=last_at,
            unreturned_at=np.where(unreturned_at == NULL, NEVER_GAVE, unreturned_at),
            week_full_at=week_full_at,
            year_full_at=year_full_at,
            deferred_until=np.where(deferred == NULL, NEVER_GAVE, np.where(deferred == NEVER, NEVER, until)),
        )

    def _engagements(self, decoded: Decoded, is_alive: NDArray[np.bool_]) -> tuple[Engagements, NDArray[np.int32]]:
        lists = self._decoder.lists
        promises, asked = lists["promises"], lists["asked"]
        n_entries = int((decoded.n_items[[promises, asked]] * is_alive).sum())
        engagements = empty_engagements(n_entries)
        engaged = _engage(
            decoded.items,
            decoded.starts[promises],
            decoded.n_items[promises],
            decoded.starts[asked],
            decoded.n_items[asked],
            is_alive,
            engagements,
        )
        return engagements, engaged


def _is_enum(of: object) -> bool:
    return isinstance(of, dict) and of["type"] == "enum"


def _are_cells(h3_cells: NDArray[np.int64], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which are cells of resolution 8, where that is wanted; false elsewhere."""
    distinct, inverse = np.unique(h3_cells[wanted], return_inverse=True)
    are = np.zeros(len(h3_cells), np.bool_)
    are[wanted] = np.array([is_cell_of_resolution_8(cell) for cell in distinct.tolist()], np.bool_)[inverse]
    return are


@kernel
def _nth_latest(given_at: NDArray[np.int64], n: int) -> int:
    """Return the ``n``-th of instants, the latest being the first; ``NEVER_GAVE`` where there are fewer."""
    for candidate in given_at:
        n_later = n_equal = 0
        for other in given_at:
            n_later += other > candidate
            n_equal += other == candidate
        if n_later < n <= n_later + n_equal:
            return int(candidate)
    return NEVER_GAVE


@kernel
def _latest(
    items: NDArray[np.int64], starts: NDArray[np.int64], n_items: NDArray[np.int64], limits: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the last of each donor's apheresis (pairs of an instant and a boolean), and the n-th last ones."""
    n = len(starts)
    last, of_week, of_year = np.full(n, NEVER_GAVE), np.full(n, NEVER_GAVE), np.full(n, NEVER_GAVE)
    for row in range(n):
        if n_items[row] > 0:
            given_at = items[starts[row] : starts[row] + 2 * n_items[row] : 2]
            last[row] = _nth_latest(given_at, 1)
            of_week[row] = _nth_latest(given_at, limits[0])
            of_year[row] = _nth_latest(given_at, limits[1])
    return last, of_week, of_year


@kernel
def _last_day(items: NDArray[np.int64], starts: NDArray[np.int64], n_items: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the last day of each donor's deferrals; ``NEVER`` where one has none, ``NULL`` where there are none."""
    last = np.full(len(starts), NULL)
    for row in range(len(starts)):
        for until in items[starts[row] : starts[row] + n_items[row]]:
            last[row] = NEVER if until == NULL else max(last[row], until)
            if until == NULL:
                break
    return last


@kernel
def _engage(
    items: NDArray[np.int64],
    promise_starts: NDArray[np.int64],
    n_promises: NDArray[np.int64],
    asked_starts: NDArray[np.int64],
    n_asked: NDArray[np.int64],
    is_alive: NDArray[np.bool_],
    engagements: Engagements,
) -> NDArray[np.int32]:
    """Write the promises and askings of living donors (pairs of a request and an instant) side by side."""
    engaged = np.full(len(is_alive), NO_ENGAGEMENT, np.int32)
    n = 0
    for row in range(len(is_alive)):
        if not is_alive[row] or n_promises[row] + n_asked[row] == 0:
            continue
        engaged[row] = n
        for i in range(n_promises[row] + n_asked[row]):
            promise = i < n_promises[row]
            item = promise_starts[row] + 2 * i if promise else asked_starts[row] + 2 * (i - n_promises[row])
            engagements.request_id[n] = items[item]
            engagements.at[n] = items[item + 1]
            engagements.mark[n] = PROMISE if promise else 0
            n += 1
        engagements.mark[n - 1] |= LAST
    return engaged
