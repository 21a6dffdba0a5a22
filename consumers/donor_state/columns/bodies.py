"""What each of the three topics' events say behind the head that all have, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.folding import (
    APHERESIS_AT,
    COMPONENT,
    FACTS_BEGIN,
    FACTS_END,
    HAS_REQUEST,
    REQUEST_ID,
    RETURNED,
    TOTAL,
    WAVE,
    WHAT,
    WHOLE_BLOOD_AT,
)
from consumers.donor_state.projection import TOTAL_MAX
from consumers.validation import FIRST_DAY, FIRST_INSTANT, LAST_DAY, LAST_INSTANT
from features.districts import DISTRICT_NAMES
from features.geo import is_cell_of_resolution_8
from features.index.avro_columns import NAN_BITS, NULL
from schemas.avro import text
from schemas.codec import INT_LEAST, INT_MOST

_DISTRICTS = frozenset(map(text, DISTRICT_NAMES))

Columns = NDArray[np.int64]


class Bodies(NamedTuple):
    """Events of one topic.

    Parameters
    ----------
    values : sequence of bytes
    numbers, double_bits, n_items : dict of str to ndarray of int64, shape (n,)
        Their fields; of lists how long they are.
    head_ends : ndarray of int64, shape (n,)
        Where what follows the donor's id begins, if the head is written as short as can be.
    """

    values: Sequence[bytes]
    numbers: dict[str, Columns]
    double_bits: dict[str, Columns]
    n_items: dict[str, Columns]
    head_ends: Columns

    @property
    def sizes(self) -> Columns:
        """How many bytes each has."""
        return np.fromiter(map(len, self.values), np.int64, len(self.values))


def responses(bodies: Bodies, events: Columns) -> NDArray[np.bool_]:
    """Put responses into ``events``; return which are plain."""
    numbers = bodies.numbers
    events[:, REQUEST_ID], events[:, HAS_REQUEST] = numbers["request_id"], 1
    events[:, WAVE], events[:, WHAT] = numbers["wave"], numbers["response"]
    is_plain = _is_within(numbers["wave"], INT_LEAST, INT_MOST)
    is_plain &= numbers["response"] > 0
    return is_plain


def donations(bodies: Bodies, events: Columns) -> NDArray[np.bool_]:
    """Put donations into ``events``; return which are plain."""
    numbers = bodies.numbers
    events[:, REQUEST_ID], events[:, HAS_REQUEST] = numbers["request_id"], numbers["request_id"] != NULL
    events[:, WHAT], events[:, COMPONENT] = numbers["outcome"], numbers["component"]
    events[:, RETURNED] = numbers["red_cells_returned"]
    # a null and the id that stands for it in a column differ by their bytes
    is_as_long = bodies.head_ends + 5 == bodies.sizes
    is_plain: NDArray[np.bool_] = (numbers["outcome"] > 0) & (is_as_long | (numbers["request_id"] != NULL))
    return is_plain


def registrations(bodies: Bodies, events: Columns) -> NDArray[np.bool_]:
    """Put registrations into ``events``, with where their facts lie in them; return which are plain.

    The facts are as ``projection.encoded_facts`` writes them where the event is written as short as can be.
    """
    numbers, values = bodies.numbers, bodies.values
    weight_size = np.where(bodies.double_bits["weight_kg"] == NAN_BITS, 1, 9)
    districts_begin = bodies.head_ends + 2 + n_bytes(numbers["born_on"]) + weight_size
    district_sizes = np.array(
        [_size_of_district(value, at) for value, at in zip(values, districts_begin.tolist(), strict=True)]
    )
    events[:, FACTS_BEGIN] = bodies.head_ends
    events[:, FACTS_END] = (
        districts_begin
        + district_sizes
        + n_bytes(numbers["h3_cell"])
        + n_bytes(numbers["joined_at"])
        + 2
        + _n_bytes_optional(numbers["away_until"])
    )
    events[:, TOTAL] = np.clip(numbers["total_donations"], 0, TOTAL_MAX)
    events[:, WHOLE_BLOOD_AT], events[:, APHERESIS_AT] = numbers["last_whole_blood_at"], numbers["last_apheresis_at"]
    events[:, RETURNED] = numbers["red_cells_returned"]
    rest = (
        n_bytes(numbers["total_donations"])
        + _n_bytes_optional(numbers["last_whole_blood_at"])
        + _n_bytes_optional(numbers["last_apheresis_at"])
        + 3
    )
    is_plain: NDArray[np.bool_] = (events[:, FACTS_END] + rest == bodies.sizes) & (district_sizes > 0)
    is_plain &= (bodies.n_items["recent_apheresis"] == 0) & (bodies.n_items["deferrals"] == 0)
    is_plain &= _is_within(numbers["total_donations"], INT_LEAST, INT_MOST)
    is_plain &= _is_within(numbers["born_on"], FIRST_DAY, LAST_DAY)
    is_plain &= _is_within(numbers["away_until"], FIRST_DAY, LAST_DAY) | (numbers["away_until"] == NULL)
    is_plain &= _is_within(numbers["joined_at"], FIRST_INSTANT, LAST_INSTANT)
    for name in ("last_whole_blood_at", "last_apheresis_at"):
        is_plain &= _is_within(numbers[name], FIRST_INSTANT, LAST_INSTANT) | (numbers[name] == NULL)
    is_plain &= [is_cell_of_resolution_8(cell) for cell in numbers["h3_cell"].tolist()]
    return is_plain


def n_bytes(numbers: Columns) -> Columns:
    """Return how many bytes numbers have in Avro at least."""
    zigzag = (numbers << 1 ^ numbers >> 63).view(np.uint64)
    found = np.ones(len(numbers), np.int64)
    for n in range(1, 10):
        found += zigzag >= np.uint64(1 << 7 * n)
    return found


def _n_bytes_optional(numbers: Columns) -> Columns:
    return np.where(numbers == NULL, 1, 1 + n_bytes(numbers))


def _is_within(numbers: Columns, least: int, most: int) -> NDArray[np.bool_]:
    is_within: NDArray[np.bool_] = (numbers >= least) & (numbers <= most)
    return is_within


def _size_of_district(value: bytes, at: int) -> int:
    """Return how many bytes a known district's name has in Avro; 0 where there is none."""
    end = at + 1 + (value[at] >> 1) if at < len(value) else at
    return end - at if value[at:end] in _DISTRICTS else 0
