"""What is remembered of one donor."""

from __future__ import annotations

from typing import NamedTuple

from consumers.donor_state.staircase import Staircase

NEVER = 0
"""No instant. Events are of 2000 or later (contracts section 1), so none occurs at the epoch."""

PERMANENT = 2**31 - 1
"""The last blocked day of a deferral that doesn't end; later than any day a calendar has here."""

RESPONSES = ("UNKNOWN", "NOTIFIED", "OPENED", "ACCEPTED", "DECLINED", "EXPIRED", "ARRIVED")
NOTIFIED, OPENED, ACCEPTED, DECLINED, EXPIRED, ARRIVED = range(1, 7)


class Profile(NamedTuple):
    """A profile, as of its ``occurred_at``.

    ``stated_at`` is the earlier of its ``occurred_at`` and its Kafka timestamp: a profile outlives an erasure only if
    both are later. ``event_id`` is the 16 bytes of the id; they sort as its text does. ``facts`` are the fields that
    only others need, as ``donor-states`` has them, in Avro.
    """

    occurred_at: int
    event_id: bytes
    stated_at: int
    total_donations: int
    facts: bytes


class Statement(NamedTuple):
    """A statement about one rule item: blocked until a day, or lifted (``until`` is None)."""

    occurred_at: int
    event_id: bytes
    stated_at: int
    until: int | None


class Wave(NamedTuple):
    """The earliest notification of a wave, answer to it, and yes among the answers; ``NEVER`` where there is none."""

    notified_at: int
    answered_at: int
    accepted_at: int


class Account(NamedTuple):
    """What a request comes to in rates: waves with a notification, the latest promise, and whether it was kept.

    ``is_kept`` is None where there was no promise, or nobody can say yet.
    """

    alerts: list[Wave]
    promised_at: int
    is_kept: bool | None


Counted = tuple[int, int, int]
"""When something occurred that counts in rates, in which wave (0 of a donation), and the roles that it plays there."""


DECAYED = (
    "alerts",
    "acceptances",
    "unanswered",
    "promises",
    "kept",
    "answer_times",
    "log_hours",
    "log_hours_squared",
    "whole_blood",
    "apheresis",
    "cancellations",
    "no_shows",
    "deferrals",
)
"""Sums that fade, in the order in which they are kept; in ``donor-states`` each has ``_decayed`` after it."""

NO_SUMS = (0.0,) * len(DECAYED)


class RequestFacts:
    """What a donor said and did about one request.

    ``latest_*`` is the latest response, ``decisive_*`` the latest that is neither NOTIFIED nor OPENED, each by
    (``occurred_at``, ``event_id``); ``donation_at`` the latest donation recorded for the request, of whatever outcome.
    The rest is for rates, and knows no event that came too late for them: all that counts one by one, sorted
    (``counted``; see the module of that name), and whether what lies within the request's span was summed up.

    ``account`` and ``encoded`` follow from all that; they are kept until it changes, since of a donor's requests an
    event touches one. Whoever changes anything calls ``change`` first.
    """

    __slots__ = (
        "account",
        "counted",
        "decisive",
        "decisive_at",
        "decisive_id",
        "donation_at",
        "encoded",
        "is_summed_up",
        "latest",
        "latest_at",
        "latest_id",
    )

    def __init__(self) -> None:
        self.latest_at = NEVER
        self.latest_id = b""
        self.latest = 0
        self.decisive_at = NEVER
        self.decisive_id = b""
        self.decisive = 0
        self.donation_at = NEVER
        self.counted: list[Counted] = []
        self.is_summed_up = False
        self.account: Account | None = None
        self.encoded: bytes | None = None

    def change(self) -> None:
        """Forget what follows from the facts."""
        self.account = self.encoded = None

    @property
    def touched_at(self) -> int:
        """The latest instant at which anything happened about the request."""
        return max(self.latest_at, self.donation_at)


class Donor:
    """All that is remembered of one donor.

    Attributes
    ----------
    erased_at : int
        The latest erasure; nothing stated then or before is known.
    latest_at : int
        The latest ``occurred_at`` known.
    profiles : list of Profile
        Newest first. More than one only where an older one was written later than a newer one, so that an erasure
        may take the newer alone.
    completed : list of int
        Instants of completed donations later than the profile's statement, unordered.
    n_completed_before, completed_before_at : int
        Completed donations that are no longer listed one by one, and the latest of them.
    last_completed_at : int
        The latest completed donation.
    whole_blood, unreturned : Staircase
        Whole blood, and apheresis without return: (stated_at, given_at).
    apheresis : dict of int to tuple of int
        Instant of giving to when it was last stated as returned, and as not returned.
    deferrals : dict of str to list of Statement
        By rule item; of an item sorted by (``occurred_at``, ``event_id``), and none that another makes useless.
    unnamed : Staircase
        Deferrals without item, which only their own day ends: (stated_at, until).
    requests : dict of int to RequestFacts
    n_alerts, n_answers, n_promises, n_kept : int
        Of ``settled`` requests.
    settled : list of int
        Requests that are summed up for rates, ascending.
    outcomes : list of tuple of int
        What lately came of donations, unordered: when, and the place in ``DECAYED`` where it counts.
    sums, sums_at : tuple of float, int
        What is left, as of an instant, of settled requests and of outcomes before those; in the order of ``DECAYED``.
    seen : list of bytes
        For each source ids of its last events; see ``repeats``.
    aged : bytes
        Digests of ids before those.
    """

    __slots__ = (
        "aged",
        "apheresis",
        "completed",
        "completed_before_at",
        "deferrals",
        "donor_id",
        "erased_at",
        "last_completed_at",
        "latest_at",
        "n_alerts",
        "n_answers",
        "n_completed_before",
        "n_kept",
        "n_promises",
        "outcomes",
        "profiles",
        "requests",
        "seen",
        "settled",
        "sums",
        "sums_at",
        "unnamed",
        "unreturned",
        "whole_blood",
    )

    def __init__(self, donor_id: int) -> None:
        self.donor_id = donor_id
        self.erased_at = NEVER
        self.latest_at = NEVER
        self.profiles: list[Profile] = []
        self.completed: list[int] = []
        self.n_completed_before = 0
        self.completed_before_at = NEVER
        self.last_completed_at = NEVER
        self.whole_blood: Staircase = []
        self.unreturned: Staircase = []
        self.apheresis: dict[int, tuple[int, int]] = {}
        self.deferrals: dict[str, list[Statement]] = {}
        self.unnamed: Staircase = []
        self.requests: dict[int, RequestFacts] = {}
        self.n_alerts = 0
        self.n_answers = 0
        self.n_promises = 0
        self.n_kept = 0
        self.settled: list[int] = []
        self.outcomes: list[tuple[int, int]] = []
        self.sums: tuple[float, ...] = NO_SUMS
        self.sums_at = NEVER
        self.seen = [b"", b"", b""]
        self.aged = b""
