"""Why donors are sent away at the door."""

from __future__ import annotations

from typing import NamedTuple

from features.local_time import local_day


class _Reason(NamedTuple):
    """A rule item, its days (None: for good), and its weight among women's reasons and among others'."""

    rule_item: str
    days: int | None
    female: float
    other: float


# Low haemoglobin is 61 % of the reasons at an Indian centre (Anand 2014-15), nearly all of them women's; the rest is
# an assumption.
_REASONS = (
    _Reason("item 9", 90, 0.80, 0.20),
    _Reason("item 5", 7, 0.07, 0.34),
    _Reason("items 19-20", 14, 0.05, 0.18),
    _Reason("item 92", 14, 0.04, 0.14),
    _Reason("item 60", 183, 0.02, 0.05),
    _Reason("item 48", 366, 0.015, 0.07),
    _Reason("item 46", None, 0.005, 0.02),
)


def deferral(draw: float, at: int, *, female: bool) -> tuple[str, int | None]:
    """Return the rule item for which a donor is sent away at the instant ``at``, and the last day of it.

    Parameters
    ----------
    draw : float
        Uniform, 0 to 1.
    """
    left = draw
    for reason in _REASONS:
        left -= reason.female if female else reason.other
        if left < 0:
            break
    return reason.rule_item, None if reason.days is None else local_day(at) + reason.days
