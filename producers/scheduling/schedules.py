"""Schedules as values: when, in which time zone, what is triggered, and what becomes of slots that were missed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum
from functools import cached_property
from zoneinfo import ZoneInfo

from features.districts import DISTRICT_NAMES
from producers.scheduling.cron import check_expression
from schemas.schedules import MAINTENANCE, RELIABILITY, RETENTION

DAY_US = 86_400_000_000
HORIZON_DAYS_MAX = 366
AGE_DAYS_MAX = 3_660
KERALA = "Asia/Kolkata"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class CatchUp(Enum):
    """Which of the slots that were missed are fired after all."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a forecast is to be made of.

    Parameters
    ----------
    horizon_days : int
        How many days, from the one on which it is triggered.
    districts : tuple of str
        Which; none means all.

    Raises
    ------
    ValueError
        If the days are none or too many, or there is no such district.
    """

    horizon_days: int = 30
    districts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check it."""
        if not 1 <= self.horizon_days <= HORIZON_DAYS_MAX:
            message = f"horizon_days: {self.horizon_days} is not within 1 to {HORIZON_DAYS_MAX}"
            raise ValueError(message)
        for district in self.districts:
            if district not in DISTRICT_NAMES:
                message = f"districts: {district!r} is none of {', '.join(sorted(DISTRICT_NAMES))}"
                raise ValueError(message)


@dataclass(frozen=True)
class Schedule:
    """One schedule.

    Parameters
    ----------
    name : str
        Stable: events, memory and metrics have it.
    cron : str
        Minute, hour, day of the month, month, day of the week, as Debian's cron takes them.
    triggers : Forecast or None
        What is to be forecast; None for maintenance.
    time_zone : str
        By whose clocks ``cron`` goes, a name of the IANA database.
    catch_up : CatchUp
        What becomes of slots that were missed.
    greatest_age_days : float
        An older slot is never fired, whatever the policy says.

    Raises
    ------
    ValueError
        If something makes no sense: ``{field}: {why}``.
    """

    name: str
    cron: str
    triggers: Forecast | None
    time_zone: str = KERALA
    catch_up: CatchUp = CatchUp.LATEST
    greatest_age_days: float = 7.0

    def __post_init__(self) -> None:
        """Check it."""
        if not _NAME.fullmatch(self.name) or len(self.name) > 100:
            message = f"name: {self.name[:120]!r}: use small letters and digits with hyphens between, at most 100"
            raise ValueError(message)
        if self.triggers is None and self.name not in MAINTENANCE:
            message = (
                f"triggers: maintenance is of the names {' and '.join(MAINTENANCE)} alone: the recorder knows no other"
            )
            raise ValueError(message)
        if self.triggers is not None and self.name in MAINTENANCE:
            message = "triggers: this name is that of a maintenance"
            raise ValueError(message)
        if not 0 < self.greatest_age_days <= AGE_DAYS_MAX:
            message = f"greatest_age_days: {self.greatest_age_days} is not above 0 and at most {AGE_DAYS_MAX}"
            raise ValueError(message)
        check_expression(self.cron, self.zone)

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        try:
            return ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):  # what ZoneInfo raises for other texts depends on the system's files
            message = f"time_zone: {self.time_zone!r} is no name of a time zone such as {KERALA} or Europe/London"
            raise ValueError(message) from None

    @property
    def greatest_age_us(self) -> int:
        """Microseconds."""
        return round(self.greatest_age_days * DAY_US)


STANDARD = (
    Schedule("weekly-forecast", "0 5 * * MON", Forecast(), greatest_age_days=14.0),
    Schedule(RELIABILITY, "30 2 * * *", None, greatest_age_days=2.0),
    Schedule(RETENTION, "30 3 * * *", None, greatest_age_days=2.0),
)
"""What is scheduled unless it is set otherwise."""
