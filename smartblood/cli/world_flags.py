"""A flag for each parameter of a simulated world, within the limits in which it makes one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import click

from producers.simulator.shifted import SHIFTED
from smartblood.cli.options import Number

Spread = tuple[Any, ...]
Command = Callable[..., Any]


class Numbers(click.ParamType[Any]):
    """Several numbers with commas between, each with its name where they have names.

    Parameters
    ----------
    default : tuple of float, or of (str, float)
        Says how many there are and how they are called; they are given out in this order.
    most : float
        None may be more, and none less than 0.
    adds_up : bool
        Whether they are the shares of a whole: together 1.
    """

    name = "NUMBERS"

    def __init__(self, default: Spread, most: float, *, adds_up: bool) -> None:
        self.names = [one[0] for one in default] if isinstance(default[0], tuple) else []
        self.default = default
        self.most = most
        self.adds_up = adds_up

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Read 0.8,1,1.2 or RANDOM=0.5,NEAREST=0.5."""
        if isinstance(value, tuple):
            return value
        parts = [part.rpartition("=") for part in str(value).split(",")]
        try:
            numbers = {name.strip() if self.names else str(i): float(text) for i, (name, _, text) in enumerate(parts)}
        except ValueError:
            numbers = {}
        names = self.names or [str(i) for i in range(len(self.default))]
        if len(parts) != len(names) or numbers.keys() != set(names) or (not self.names and "=" in str(value)):
            self.fail(f"{value!r}: write it as {written(self.default)}", param, ctx)
        found = [numbers[name] for name in names]
        if not all(0 <= number <= self.most for number in found):
            self.fail(f"{value!r}: each must be 0 to {self.most:g}", param, ctx)
        if self.adds_up and not math.isclose(sum(found), 1, abs_tol=1e-9):
            self.fail(f"{value!r}: together they are {sum(found):g}, and must be 1", param, ctx)
        if not sum(found):
            self.fail(f"{value!r}: they can't all be 0", param, ctx)
        return tuple(zip(self.names, found, strict=True)) if self.names else tuple(found)


def written(value: Spread) -> str:
    """Return several numbers as they would be written."""
    return ",".join(f"{one[0]}={one[1]:g}" if isinstance(one, tuple) else f"{one:g}" for one in value)


SHARE = Number(0, 1)
CHANCE = Number(0.001, 0.999)
"""A mean around which donors differ: with none or all there is no Beta distribution."""

CONCENTRATION = Number(0.01, 1e6)
ODDS = Number(0, 1000)
PER_YEAR = Number(0, 365)

LIMITS: Mapping[str, click.ParamType[Any]] = MappingProxyType(
    {
        "n_donors": click.IntRange(1, 1_000_000),
        "history_days": click.IntRange(1, 3_650),
        "group_percent": Numbers(SHIFTED.group_percent, 100, adds_up=False),
        "tenure_years_mean": Number(0, 100),
        "keen_rate": CHANCE,
        "other_rate": CHANCE,
        "rate_concentration": CONCENTRATION,
        "decay_km_least": Number(0, 1000, min_open=True),
        "decay_km_most": Number(0, 1000, min_open=True),
        "keen_show_up": CHANCE,
        "other_show_up": CHANCE,
        "show_up_concentration": CONCENTRATION,
        "keen_donations_per_year": Number(0, 365, min_open=True),
        "other_donations_per_year": Number(0, 365, min_open=True),
        "leaving_per_year": Number(0.001, 365),  # whom it keeps for longer than all of time would leave at once
        "left_factor": SHARE,
        "fatigue_factor": SHARE,
        "fatigue_half_life_days": Number(0, 1e6, min_open=True),
        "urgency_odds": Numbers(SHIFTED.urgency_odds, 1000, adds_up=False),
        "district_odds": Numbers(SHIFTED.district_odds, 1000, adds_up=False),
        "other_group_odds": ODDS,
        "night_odds": ODDS,
        "office_odds": ODDS,
        "evening_odds": ODDS,
        "weekend_odds": ODDS,
        "answer_minutes_median": Number(0.1, 10_000),
        "answer_minutes_spread": Number(0, 1.5),
        "answer_spread": Number(0.01, 1.5),
        "alert_life_hours": Number(0.01, 10_000),
        "travel_km_per_hour": Number(0.1, 1000),
        "on_site_minutes": Number(0, 1440),
        "deferred_female": SHARE,
        "deferred_other": SHARE,
        "requests_per_day": Number(0, 1e6),
        "units_mean": Number(1, 100),
        "units_most": click.IntRange(1, 100),
        "alerts_per_donor_year": PER_YEAR,
        "alerts_per_request": click.IntRange(1, 1_000_000),
        "updates_per_donor_year": PER_YEAR,
    }
)
"""By parameter; what is called a share needs no line. Each leads to numbers that the simulator can work with."""

NAMES = {"n_donors": "donors", "history_days": "days"}


def world_flags(command: Command) -> Command:
    """Give a command a flag for each parameter of a world."""

    @functools.wraps(command)
    def checking(*arguments: Any, **values: Any) -> Any:  # noqa: ANN401 - as the command has it
        _check_together(values)
        return command(*arguments, **values)

    for field in reversed(fields(SHIFTED)):
        default = getattr(SHIFTED, field.name)
        option = click.option(
            _flag(field.name),
            field.name,
            default=written(default) if isinstance(default, tuple) else default,
            type=_limits(field.name, default),
            envvar=f"SMARTBLOOD_EVALUATE_WORLD_{NAMES.get(field.name, field.name).upper()}",
            show_envvar=True,
            help=f"The world's {field.name.replace('_', ' ')}.",
        )
        checking = option(checking)
    return checking


def _flag(name: str) -> str:
    return f"--{NAMES.get(name, name).replace('_', '-')}"


def _limits(name: str, default: Any) -> click.ParamType[Any]:  # noqa: ANN401 - a number or several
    if name.endswith("_share"):
        return Numbers(default, 1, adds_up=True) if isinstance(default, tuple) else SHARE
    return LIMITS[name]


def _check_together(values: Mapping[str, Any]) -> None:
    """Refuse what each flag allows and no world has.

    Raises
    ------
    click.BadParameter
        If there is more than everybody, or a distance that is less than the least.
    """
    sexes = ("female_share", "sex_other_share", "sex_unknown_share")
    if sum(values[name] for name in sexes) > 1:
        message = f"with {' and '.join(map(_flag, sexes[1:]))} it must be 1 at most"
        raise click.BadParameter(message, param_hint=_flag(sexes[0]))
    if values["decay_km_least"] > values["decay_km_most"]:
        message = f"it must not be more than {_flag('decay_km_most')}"
        raise click.BadParameter(message, param_hint=_flag("decay_km_least"))
