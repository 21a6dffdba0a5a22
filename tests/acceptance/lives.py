"""What comes of donors as long as one looks: they give, answer, move, are deferred, are erased, and some come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.acceptance.world import DAY, ordinary, response
from tests.oracle import worlds

REGISTERED, DONATED, RESPONDED = "donor-registered", "donation-recorded", "donor-responded"
STAYS = ("blood_group", "sex", "born_on")
"""What of a profile doesn't change: all else may be another in the next one."""

DAYS_LATE_MAX = 9
"""Events are this old or younger, so that of two profiles the older one often comes later."""


class Lives:
    """Donors, and what comes of them next.

    Parameters
    ----------
    rng : Generator
        Drawn from by others too, if they like.
    n_donors : int
        Their ids are 1 to so many.
    """

    def __init__(self, rng: Any, n_donors: int) -> None:
        self._rng = rng
        self._n_donors = n_donors
        self._known: dict[int, dict[str, Any]] = {}
        self._erased: set[int] = set()

    def before(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield the topic, donor and event of all that came of them before one looks."""
        for donor_id in range(1, self._n_donors + 1):
            for topic, event, _ in ordinary(self._rng, donor_id):
                if topic == REGISTERED:
                    self._known[donor_id] = event
                yield topic, donor_id, event

    def next(self, now: int) -> tuple[str, int, dict[str, Any] | None]:
        """Return the topic, donor and event of what comes next; the event of an erasure is None."""
        rng = self._rng
        luck, donor_id = rng.random(), int(rng.integers(1, self._n_donors + 1))
        at = now - int(rng.integers(0, DAYS_LATE_MAX + 1)) * DAY
        if luck < 0.05:
            self._erased.add(donor_id)
            return REGISTERED, donor_id, None
        if luck < 0.07 and self._erased:  # fewer, so that at any time some are erased
            donor_id = int(worlds.pick(rng, sorted(self._erased)))
            self._erased.remove(donor_id)
            return REGISTERED, donor_id, self._profile(donor_id, now)
        if luck < 0.2:
            return REGISTERED, donor_id, self._profile(donor_id, at)
        if luck < 0.45:
            return DONATED, donor_id, worlds.donor_event(rng, DONATED, donor_id, at)
        said = str(worlds.pick(rng, ["NOTIFIED", "ACCEPTED", "DECLINED", "EXPIRED", "ARRIVED"]))
        return RESPONDED, donor_id, response(rng, donor_id, at, int(rng.integers(1, 300)), said)

    def _profile(self, donor_id: int, at: int) -> dict[str, Any]:
        """The person who is known, elsewhere, of another weight, with another will and with what defers them."""
        drawn = worlds.donor_event(self._rng, REGISTERED, donor_id, at)
        return drawn | {name: self._known[donor_id][name] for name in STAYS}
