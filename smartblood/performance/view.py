"""A judgement for people: tables, and the same as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from features.vectors import FEATURES
from smartblood.performance.judgement import Drift, Judgement, Performance
from smartblood.training.judging import Interval

MODERATE, LARGE = 0.1, 0.25
"""Of the population stability index: what is said of it; what alarms is a setting."""

ROLE_STYLE = {"champion": "bold", "challenger": "yellow", "shadow": "dim"}


def tables_of(judgement: Judgement) -> Iterable[RenderableType]:
    """Yield what is to be printed, from top to bottom."""
    yield Text(_headline(judgement))
    for model in FEATURES:
        performances = [one for one in judgement.performances if one.model == model]
        if performances:
            yield _performances(model, performances)
    if judgement.drifts:
        yield _drifts(judgement.drifts)
    lines = [_alarm(one, one.outcome) for one in judgement.performances if one.alarm]
    lines += [_alarm(one, one.feature) for one in judgement.drifts if one.alarm]
    yield Text("\n".join(["Needs a look:", *lines]) if lines else _quiet(judgement))


def _quiet(judgement: Judgement) -> str:
    """Say that nothing alarms; where nothing could, say that."""
    if not judgement.n_alerts:
        return (
            "Nothing has been judged yet: in these days nobody was notified (donor-responded, NOTIFIED) of a list that "
            "says which models made it."
        )
    if not judgement.n_settled:
        return "Nothing has been judged yet: no request is settled, which it is 6 hours after its required_by."
    return "Nothing needs a look."


def _alarm(one: Performance | Drift, what: str) -> str:
    return f"{one.model} {one.version} ({one.role}), {what}: {one.alarm}"


def as_json(judgement: Judgement | None) -> dict[str, Any]:
    """Return a judgement as JSON data; nothing where there is none."""
    if judgement is None:
        return {}
    told = judgement._asdict()
    told["as_of"] = _instant(judgement.as_of).isoformat()
    told["performances"] = [_performance_json(one) for one in judgement.performances]
    told["drifts"] = [one._asdict() for one in judgement.drifts]
    return told


def _performance_json(one: Performance) -> dict[str, Any]:
    told = one._asdict()
    expected, ratios = told.pop("bins")
    told["bins"] = {"expected": expected, "observed_to_expected": ratios}
    ratio = one.observed_to_expected
    told["observed_to_expected"] = None if ratio is None else list(ratio)
    told["log_loss_saved"] = None if one.log_loss_saved is None else list(one.log_loss_saved)
    told["intervals"] = {name: list(interval) for name, interval in one.intervals.items()}
    return told


def _headline(judgement: Judgement) -> str:
    n_unsettled = judgement.n_alerts - judgement.n_settled
    said = (
        f"{judgement.n_alerts:,} alerts of the {judgement.window_days} days until "
        f"{_instant(judgement.as_of):%Y-%m-%d %H:%M} UTC, stream time: "
        f"{judgement.n_settled:,} settled, {n_unsettled:,} not yet"
    )
    if judgement.n_erased:
        said += f"; {judgement.n_erased:,} of donors who were erased are left out"
    if judgement.is_cut:
        said += "; there are more, and these are the latest"
    return said + ". 95 % intervals, by a bootstrap over requests."


def _performances(model: str, performances: list[Performance]) -> Table:
    table = Table(title=model, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("version", "role", "outcome"):
        table.add_column(name)
    for name in ("alerts", "req.", "exp.", "obs.", "obs ÷ exp", "ECE", "log loss", "Brier", "AUC", "saved"):
        table.add_column(name, justify="right")
    for one in performances:
        style = "bold red" if one.alarm else ROLE_STYLE[one.role]
        auc = one.intervals.get("auc")
        table.add_row(
            *(one.version, one.role, one.outcome, f"{one.n_alerts:,}", f"{one.n_requests:,}"),
            *(_share(one.expected), _share(one.observed), _cell(one.observed_to_expected, 2)),
            *(_share(value) for value in (one.ece, one.log_loss, one.brier)),
            _share(one.auc) if auc is None else _cell(auc, 3),
            _cell(one.log_loss_saved, 4),
            style=style,
        )
    return table


def _drifts(drifts: list[Drift]) -> Table:
    table = Table(title="drift of features", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("model", "version", "role", "feature"):
        table.add_column(name)
    table.add_column("alerts", justify="right")
    table.add_column("stability index", justify="right")
    table.add_column("")
    order = list(FEATURES)
    for one in sorted(drifts, key=lambda one: (order.index(one.model), one.version, one.role, -one.stability_index)):
        style = "bold red" if one.alarm else ROLE_STYLE[one.role]
        index = one.stability_index
        word = "" if index < MODERATE else "moved" if index <= LARGE else "another population"
        cells = (one.model, one.version, one.role, one.feature, f"{one.n_alerts:,}", f"{index:.3f}", word)
        table.add_row(*cells, style=style)
    return table


def _cell(found: Interval | None, decimals: int) -> str:
    """Return a figure, and its interval below it."""
    if found is None:
        return ""
    value, lower, upper = (f"{one:.{decimals}f}" for one in found)
    return f"{value}\n{lower}{' to ' if found.lower < 0 else '–'}{upper}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _instant(us: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)
