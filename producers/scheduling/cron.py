"""Cron expressions to instants, through the library's one door.

References
----------
Daylight saving is as in Debian's cron: where clocks leap forward, what was to be in the hour that is left out comes
right after it; where they are put back, what is at a given hour comes once, the first time. What is at every hour or
every few minutes (its hour or minute begins with ``*``) goes on by elapsed time in both cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FROM_BEFORE = timedelta(days=1)
N_FIELDS = 5


def check_expression(cron: str, zone: tzinfo) -> None:
    """Check a cron expression.

    Raises
    ------
    ValueError
        If it is none, has other than five fields, or never comes.
    """
    fields = "minute, hour, day of the month, month, day of the week, such as `0 5 * * MON`"
    if len(cron.split()) != N_FIELDS:
        message = f"cron: {cron!r} has not five fields: {fields}"
        raise ValueError(message)
    try:
        found = next(instants_after(cron, zone, 0), None)
    except CronSimError as error:
        message = f"cron: {cron!r}: {str(error)[:1].lower()}{str(error)[1:]}: {fields}"
        raise ValueError(message) from None
    if found is None:
        message = f"cron: {cron!r} never comes"
        raise ValueError(message)


def instants_after(cron: str, zone: tzinfo, after_us: int) -> Iterator[int]:
    """Yield the instants of an expression later than ``after_us``, microseconds since 1970 in UTC, in order.

    They are the same ones wherever one begins. So the search begins at the midnight before the last: begun within an
    hour that clocks show twice, the library can't tell its two passes apart.
    """
    local = instant(after_us).astimezone(zone)
    midnight = datetime(local.year, local.month, local.day, tzinfo=UTC) - FROM_BEFORE
    last_us = after_us
    for found in CronSim(cron, midnight.replace(tzinfo=zone)):
        found_us = (found.astimezone(UTC) - EPOCH) // MICROSECOND
        if found_us > last_us:
            last_us = found_us
            yield found_us


def instant(at_us: int) -> datetime:
    """Return microseconds since 1970 as an instant in UTC."""
    return EPOCH + at_us * MICROSECOND
