"""The card of a forecaster: what it is, what it was made from, how good it is, and what it isn't for."""

from __future__ import annotations

from typing import Any

from smartblood.registry.manifest import Entry

SAYS = (
    "Units asked for a day, by district and group, for the days after a history: a mean that adds up to districts,",
    "groups and the state, and quantiles. The trees speak relative to each series' own level, lags and spread, which",
    "are worked out from the history that is given; so they speak of series that they never saw.",
)
_LIMITS_OF_SIMULATED = (
    "A simulated district's way of asking is drawn, not known. Where real demand was recorded for a year or more,",
    "train it on that (`--from-demand`).",
)
_TITLES = {"by_series": "district and group", "by_district": "district", "state": "state"}
_OF = {"forecaster": "forecaster", "mean_of_91_days": "mean of 91 days", "seasonal_naive": "seasonal naive"}
_COLUMNS = ("wape", "mase", "rmsse", "wql", "coverage")


def card_of(entry: Entry, n_bytes: int) -> str:
    """Return the card as Markdown."""
    lines = [
        f"# {entry.name} {entry.version}",
        "",
        *SAYS,
        "",
        "## Features",
        "",
        "Those of every table, as `features/forecasting/rows.py` works them out.",
        "",
        "| feature | type | unit |",
        "|---|---|---|",
        *(f"| `{one.name}` | {one.type} | {one.unit} |" for one in entry.features),
        "",
        "## Made from",
        "",
        *(f"- {name.replace('_', ' ')}: {_text(value)}" for name, value in entry.training_data.items()),
        f"- libraries: {_text(entry.libraries)}",
        f"- file: `{entry.file}`, {n_bytes:,} bytes, SHA-256 `{entry.sha256}`",
        "",
        "## How good",
        "",
        "Learned from all but the last three months and asked within them as in production, without learning again.",
        "",
        *figures_of(entry.metrics),
        "",
        "## Limits",
        "",
        *(
            _LIMITS_OF_SIMULATED
            if str(entry.training_data.get("source", "")).startswith("the project's simulator")
            else ()
        ),
        "How sure the figures are wasn't measured: they have no intervals.",
        "Where much has changed since, train it anew, and judge it with `smartblood backtest`.",
        "",
    ]
    return "\n".join(lines)


def figures_of(metrics: dict[str, Any]) -> list[str]:
    """Return a table of what was measured."""
    lines = [
        "| | | WAPE | MASE | RMSSE | weighted quantile loss | 80 % coverage |",
        "|---|---|---|---|---|---|---|",
    ]
    for level, title in _TITLES.items():
        for name, of in _OF.items():
            found = metrics[f"{level}_{name}"]
            lines.append(f"| {title} | {of} | {' | '.join(str(found.get(one, '')) for one in _COLUMNS)} |")
    return [*lines, "", f"{metrics['n_origins']} origins a week apart, {metrics['horizon']} days ahead."]


def _text(value: Any) -> str:  # noqa: ANN401 - what JSON has
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)
