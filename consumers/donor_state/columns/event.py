"""A plain event as others see it; without kernels, so that who has none need not load them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import AT
from consumers.validation import checked
from schemas.codec import FRAME, Codec
from schemas.records import Event, Record

ID_AT = FRAME.size + 1
ID_LENGTH = 36


class Plain(Mapping[str, Any]):
    """A plain event, which becomes a mapping only where somebody looks into it.

    Parameters
    ----------
    record : Record
        That carries it.
    codec : Codec
    rows : ndarray of int64, shape (n, 16)
        What is said in it and in others, as kernels take it.
    row : int
        Its own among them.
    """

    __slots__ = ("_codec", "_event", "_record", "row", "rows")

    def __init__(self, record: Record, codec: Codec, rows: NDArray[np.int64], row: int) -> None:
        self._record = record
        self._codec = codec
        self.rows, self.row = rows, row
        self._event: Event | None = None

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - an event's
        """Return a field; when it occurred is known without decoding it."""
        if name == "occurred_at":
            return int(self.rows[self.row, AT])
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of fields."""
        return iter(self._decoded())

    def __len__(self) -> int:
        """Return how many fields there are."""
        return len(self._decoded())

    def _decoded(self) -> Event:
        if self._event is None:
            value = self._record.value or b""
            self._event = checked(self._record, self._codec.decode(self._record.topic, value))
        return self._event


def id_of(record: Record) -> str:
    """Return the id of the plain event that a record carries, as ``validation`` leaves it."""
    value = record.value or b""
    return value[ID_AT : ID_AT + ID_LENGTH].decode("ascii").lower()
