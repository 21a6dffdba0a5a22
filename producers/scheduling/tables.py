"""Schedules as a file names them: a table for each, by its name.

A table with the name of a standard schedule changes what it names of it; ``enabled = false`` leaves a schedule out. Any
other name is a schedule of its own, which needs ``cron``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from producers.scheduling.schedules import STANDARD, CatchUp, Forecast, Schedule

FIELDS: Mapping[str, tuple[type, ...]] = {
    "enabled": (bool,),
    "cron": (str,),
    "time_zone": (str,),
    "catch_up": (str,),
    "greatest_age_days": (int, float),
    "horizon_days": (int,),
    "districts": (list,),
}
KINDS = {bool: "true or false", str: "text", int: "a number", list: "a list of texts"}


def schedules_of(tables: Mapping[str, Any], standard: Sequence[Schedule] = STANDARD) -> tuple[Schedule, ...]:
    """Return the standard schedules as ``tables`` change them, then those that it adds.

    Raises
    ------
    ValueError
        If something makes no sense: ``{schedule}: {field}: {why}``.
    """
    known = {schedule.name: schedule for schedule in standard}
    found: list[Schedule] = []
    for name in [*known, *(name for name in tables if name not in known)]:
        table = tables.get(name, {})
        try:
            _check(table)
            if table.get("enabled", True):
                found.append(_schedule(name, known.get(name), table))
        except ValueError as error:
            message = f"{name}: {error}"
            raise ValueError(message) from None
    return tuple(found)


def _check(table: object) -> None:
    if not isinstance(table, Mapping):
        message = f"is no table: write [name] and below it {', '.join(FIELDS)}"
        raise ValueError(message)  # noqa: TRY004 - what is wrong is the text, as with all else
    for field, value in table.items():
        kinds = FIELDS.get(field)
        if kinds is None:
            message = f"{field}: there is no such field; there are {', '.join(FIELDS)}"
            raise ValueError(message)
        is_kind = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if not is_kind or (isinstance(value, list) and not all(isinstance(one, str) for one in value)):
            message = f"{field}: should be {KINDS[kinds[0]]}"
            raise ValueError(message)


def _schedule(name: str, before: Schedule | None, table: Mapping[str, Any]) -> Schedule:
    changes: dict[str, Any] = {
        field: table[field] for field in ("cron", "time_zone", "greatest_age_days") if field in table
    }
    if "catch_up" in table:
        changes["catch_up"] = _catch_up(table["catch_up"])
    forecast = {field: table[field] for field in ("horizon_days", "districts") if field in table}
    if "districts" in forecast:
        forecast["districts"] = tuple(forecast["districts"])
    if before is None:
        if "cron" not in table:
            message = "cron: is missing"
            raise ValueError(message)
        return Schedule(name, changes.pop("cron"), Forecast(**forecast), **changes)
    if forecast:
        if before.triggers is None:
            message = f"{next(iter(forecast))}: this schedule triggers no forecast"
            raise ValueError(message)
        changes["triggers"] = replace(before.triggers, **forecast)
    return replace(before, **changes)


def _catch_up(text: str) -> CatchUp:
    try:
        return CatchUp(text)
    except ValueError:
        message = f"catch_up: {text!r} is none of {', '.join(one.value for one in CatchUp)}"
        raise ValueError(message) from None
