"""A table of series refuses what can't be one."""

from __future__ import annotations

import numpy as np
import pytest

from features.series import SeriesTable

DAYS = np.arange("2026-01-01", "2026-01-04", dtype="datetime64[D]")


def test_values_that_fit_are_kept() -> None:
    table = SeriesTable((("Kollam", "O_POS"), ("Kollam", "A_POS")), DAYS, np.zeros((2, 3)))

    assert table.values.shape == (2, 3)


@pytest.mark.parametrize(
    ("names", "days", "shape", "why"),
    [
        ((("a",), ("b",)), DAYS, (1, 3), "2 names and 3 days"),
        ((("a",), ("a",)), DAYS, (2, 3), "twice"),
        ((("a",),), DAYS[::-1], (1, 3), "ascending"),
        ((("a",),), DAYS[[0, 0, 1]], (1, 3), "ascending"),
        ((("a",),), np.array(["2026-01-01", "2026-01-02", "2026-01-04"], "datetime64[D]"), (1, 3), "evenly"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    names: tuple[tuple[str, ...], ...], days: np.ndarray, shape: tuple[int, int], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        SeriesTable(names, days, np.zeros(shape))
