"""The donors: what a register knows of them, and, apart from it, what is true of them."""

from __future__ import annotations

from dataclasses import dataclass

import h3.api.basic_int as h3
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from features.compatibility import GROUP_CODE
from features.districts import DISTRICTS
from producers.simulator.towns import TOWNS, ashore
from producers.simulator.world import DAY_US, World

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

NEVER = -(2**62)
"""An instant that lies before everything: what hasn't happened."""

SEXES = ("UNKNOWN", "FEMALE", "MALE", "OTHER")
FEMALE = 1
YEAR_US = 365 * DAY_US
KM_PER_DEGREE = 111.2


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is true of donors and reaches no event; one entry a donor.

    Parameters
    ----------
    keen : ndarray of bool
        Of the first of the two kinds.
    willingness : ndarray of float64
        Probability to accept a MEDIUM alert for a request next door, rested, by day.
    decay_km : ndarray of float64
        k of exp(-d/k).
    show_up : ndarray of float64
        Probability to come after accepting.
    returns : ndarray of bool
        Whether a first donation is ever followed by a second.
    left_at : ndarray of int64
        Instant from which the donor has lost interest.
    answer_minutes : ndarray of float64
        Median time to answer.
    """

    keen: Flags
    willingness: Floats
    decay_km: Floats
    show_up: Floats
    returns: Flags
    left_at: Instants
    answer_minutes: Floats


@dataclass(frozen=True, slots=True)
class Population:
    """The register, in columns of one entry a donor, as each donor joined; instants in microseconds, NEVER where none.

    ``group`` holds codes of the schema's BloodGroup, ``sex`` of its Sex, ``district`` places in ``DISTRICTS``,
    ``weight_kg`` NaN where unknown, ``born_on`` days since 1970. ``joined_at`` is the instant of the first profile's
    statement ``joined_at``.
    """

    donor_id: Instants
    group: Codes
    sex: Codes
    born_on: NDArray[np.int32]
    weight_kg: Floats
    district: Codes
    latitude: Floats
    longitude: Floats
    h3_cell: Instants
    joined_at: Instants
    contactable: Flags
    apheresis_willing: Flags
    barred: Flags
    total_donations: NDArray[np.int32]
    last_whole_blood_at: Instants
    hidden: Hidden

    def is_female(self, row: int) -> bool:
        """Whether the donor's sex on record is female."""
        return bool(self.sex[row] == FEMALE)


def settle(world: World, rng: Generator, start: int, end: int) -> Population:
    """Let ``world.n_donors`` donors live in Kerala.

    Parameters
    ----------
    start, end : int
        The span of the history, microseconds; donors join before and within it.
    """
    n = world.n_donors
    district, latitude, longitude = places(world, rng, n)
    sex = rng.choice(4, n, p=_sexes(world)).astype(np.int8)
    hidden_kind = rng.random(n) < world.keen_share
    joined_at = _joined(world, rng, start, end)
    total, last, returns = _given_before(world, rng, joined_at, start, keen=hidden_kind)
    weight = np.where(sex == FEMALE, rng.normal(58, 8, n), rng.normal(69, 10, n)).clip(38, 130).round(1)
    weight[rng.random(n) < world.weight_unknown_share] = np.nan
    age_on_joining = 18.1 + 32.0 * rng.beta(1.3, 2.6, n)  # assumption; so that nobody grows out of any limit
    barred = rng.random(n) < world.permanent_deferral_share
    last[barred & (total > 0)] -= 90 * DAY_US  # barred after their last donation
    return Population(
        donor_id=np.arange(1, n + 1, dtype=np.int64),
        group=_groups(world, rng, n),
        sex=sex,
        born_on=((joined_at - (age_on_joining * 365.25 * DAY_US).astype(np.int64)) // DAY_US).astype(np.int32),
        weight_kg=weight,
        district=district,
        latitude=latitude,
        longitude=longitude,
        h3_cell=np.fromiter((h3.latlng_to_cell(*place, 8) for place in zip(latitude, longitude, strict=True)), "i8", n),
        joined_at=joined_at,
        contactable=rng.random(n) >= world.uncontactable_share,
        apheresis_willing=rng.random(n) < world.apheresis_willing_share,
        barred=barred,
        total_donations=total,
        last_whole_blood_at=last,
        hidden=_hidden(world, rng, hidden_kind, returns, joined_at),
    )


def places(world: World, rng: Generator, n: int) -> tuple[Codes, Floats, Floats]:
    """Draw where ``n`` people live: district, degrees of latitude and longitude, each of shape (n,).

    Most live around a town of their district, the nearer the denser; the rest between its towns.
    """
    people = np.array([district.population for district in DISTRICTS], float)
    district = rng.choice(len(DISTRICTS), n, p=people / people.sum())
    latitude, longitude = np.empty(n), np.empty(n)
    for code, name in enumerate(district.name for district in DISTRICTS):
        rows = np.flatnonzero(district == code)
        towns = [town for town in TOWNS if town.district == name]
        weight = np.array([town.weight for town in towns])
        at = np.array([(town.latitude, town.longitude) for town in towns])
        chosen = at[rng.choice(len(towns), rows.size, p=weight / weight.sum())]
        # Between the towns: somewhere on the way from one to another, with a wider scatter.
        rural = rng.random(rows.size) < world.rural_share
        other = at[rng.choice(len(towns), rows.size)]
        share = np.where(rural, rng.random(rows.size), 0.0)[:, np.newaxis]
        centre = chosen * (1 - share) + other * share
        scatter_km = np.where(rural, 4.0, rng.gamma(2.0, 1.2, rows.size))
        angle = rng.random(rows.size) * 2 * np.pi
        away_km = scatter_km * np.abs(rng.normal(0, 1, rows.size))
        latitude[rows] = centre[:, 0] + away_km * np.sin(angle) / KM_PER_DEGREE
        longitude[rows] = centre[:, 1] + away_km * np.cos(angle) / (KM_PER_DEGREE * np.cos(np.radians(centre[:, 0])))
    return district.astype(np.int8), latitude, ashore(latitude, longitude)


def _sexes(world: World) -> list[float]:
    others = world.female_share + world.sex_other_share + world.sex_unknown_share
    return [world.sex_unknown_share, world.female_share, 1 - others, world.sex_other_share]


def _groups(world: World, rng: Generator, n: int) -> Codes:
    codes = draw_groups(world, rng, n)
    codes[rng.random(n) < world.group_unknown_share] = 0
    return codes


def draw_groups(world: World, rng: Generator, n: int) -> Codes:
    """Draw ``n`` blood groups from the prior, as codes of the schema's BloodGroup."""
    percent = np.array([share for _, share in world.group_percent])
    codes = np.array([GROUP_CODE[name] for name, _ in world.group_percent], np.int8)
    return codes[rng.choice(codes.size, n, p=percent / percent.sum())]


def _joined(world: World, rng: Generator, start: int, end: int) -> Instants:
    n = world.n_donors
    within = rng.random(n) < world.joined_within_history_share
    # Not in the last days: whoever joins gives within hours, and the history has to end with all of it told.
    later = start + rng.random(n) * max(end - start - 2 * DAY_US, 0)
    tenure = np.minimum(rng.exponential(world.tenure_years_mean, n), 12.0) + 0.02
    return np.where(within, later, start - tenure * YEAR_US).astype(np.int64)


def _given_before(
    world: World, rng: Generator, joined_at: Instants, start: int, *, keen: Flags
) -> tuple[NDArray[np.int32], Instants, Flags]:
    """Donations until ``start``: how many, the last one's instant, and whether a first one is ever followed."""
    n = joined_at.size
    returns = rng.random(n) < world.returns_share
    tenure = (start - joined_at).clip(0)
    gave = (tenure > 0) & (rng.random(n) >= world.never_gave_share)
    rate = np.where(keen, world.keen_donations_per_year, world.other_donations_per_year)
    further = np.where(returns, rng.poisson(rate * 0.7 * tenure / YEAR_US), 0)
    # No more than the longest interval allows.
    total = np.where(gave, 1 + np.minimum(further, tenure // (150 * DAY_US)), 0).astype(np.int32)
    single_ago = rng.random(n) * tenure
    since = np.minimum(rng.exponential(YEAR_US / rate, n) + rng.random(n) * 60 * DAY_US, tenure / total.clip(1))
    last = start - np.where(total > 1, since, single_ago)
    return total, np.where(gave, last, NEVER).astype(np.int64), returns


def _hidden(world: World, rng: Generator, keen: Flags, returns: Flags, joined_at: Instants) -> Hidden:
    n = keen.size
    rate = np.where(keen, world.keen_rate, world.other_rate)
    show = np.where(keen, world.keen_show_up, world.other_show_up)
    stays = rng.exponential(YEAR_US / world.leaving_per_year, n)
    return Hidden(
        keen=keen,
        willingness=_around(rng, rate, world.rate_concentration),
        decay_km=rng.uniform(world.decay_km_least, world.decay_km_most, n),
        show_up=_around(rng, show, world.show_up_concentration),
        returns=returns,
        left_at=joined_at + stays.astype(np.int64),
        answer_minutes=world.answer_minutes_median * np.exp(rng.normal(0, world.answer_minutes_spread, n)),
    )


def _around(rng: Generator, mean: Floats, concentration: float) -> Floats:
    return rng.beta(mean * concentration, (1 - mean) * concentration).clip(1e-4, 1 - 1e-4)
