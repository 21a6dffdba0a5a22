"""Plain events read and folded by the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.event import Plain
from consumers.donor_state.columns.folding import FACTS_BEGIN, FACTS_END, N_OF_EVENT, Folded, Folding
from consumers.donor_state.columns.plain import PlainReader
from consumers.topology import Input
from features.decay import HalfLives
from schemas.codec import Codec
from schemas.records import Event, Record


class Columns:
    """Reads and folds plain events.

    Parameters
    ----------
    codec : Codec
    late_us : int
        How much older than the latest known of a donor an event may be to count in rates.
    half_lives : HalfLives
        Of what fades.
    """

    def __init__(self, codec: Codec, late_us: int, half_lives: HalfLives) -> None:
        self._reader = PlainReader(codec)
        self._folding = Folding(late_us, half_lives)

    def glance(self, records: Sequence[Record]) -> list[Event | None]:
        """Return for each record its event, where that is plain."""
        return self._reader.glance(records)

    def fold(self, memories: Sequence[bytes], inputs: Sequence[Input], n_events: Sequence[int]) -> list[Folded | None]:
        """Fold the next ``n_events`` of ``inputs``, which are plain, into each donor; None where it needs objects."""
        events, facts = rows_of(inputs)
        return self._folding.fold(memories, events, np.array(n_events, np.int64), facts)

    def warm(self) -> None:
        """Compile what isn't yet; what is compiled is kept beside the modules."""
        self.fold([], [], [])


def rows_of(inputs: Sequence[Input]) -> tuple[NDArray[np.int64], bytes]:
    """Return what is said in plain events, a row for each, and the facts of profiles, to which rows point."""
    events = np.zeros((len(inputs), N_OF_EVENT), np.int64)
    glanced_at: dict[int, tuple[NDArray[np.int64], list[int], list[int]]] = {}
    for number, (_, event) in enumerate(inputs):
        assert type(event) is Plain, "who isn't plain is left to objects"  # noqa: S101 - an assertion about the whole
        _, numbers, rows = glanced_at.setdefault(id(event.rows), (event.rows, [], []))
        numbers.append(number)
        rows.append(event.row)
    for said, numbers, rows in glanced_at.values():
        events[numbers] = said[rows]
    facts = []
    ends = np.cumsum(events[:, FACTS_END] - events[:, FACTS_BEGIN])
    for number in np.flatnonzero(events[:, FACTS_END]).tolist():
        begin, end = events[number, FACTS_BEGIN : FACTS_END + 1].tolist()
        facts.append((inputs[number].record.value or b"")[begin:end])
    events[:, FACTS_BEGIN] += ends - events[:, FACTS_END]
    events[:, FACTS_END] = ends
    return events, b"".join(facts)
