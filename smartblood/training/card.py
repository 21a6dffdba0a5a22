"""The card of a model: what it is, what it was made from, how good it is, and what it isn't for."""

from __future__ import annotations

import re
from typing import Any

from features.vectors import AVAILABILITY, MATCH, RELIABILITY, RESPONSE_TIME
from smartblood.registry.manifest import Entry

SAYS = {
    MATCH: (
        "P(this donor gives for this request, if asked): a probability, calibrated, for donors who may lawfully be",
        "asked. It orders donors within a preference class and says how many to ask; it never decides who may give.",
    ),
    AVAILABILITY: (
        "P(a donor says yes, if asked at an instant), wherever the request is: a probability, calibrated. A donor",
        "who declines isn't available, however quick the answer was.",
    ),
    RELIABILITY: (
        "P(a donor who said yes comes): a probability, calibrated. Who comes and is sent away kept the promise.",
    ),
    RESPONSE_TIME: (
        "P(a donor who hasn't answered so far answers in the next stretch of time): from it follow the chance to",
        "answer within the hours that are left, and the time within which half of those answer who do. Alerts without",
        "an answer count for as long as they stood.",
    ),
}

BY_DISTRICT = {
    "left_out": "Leaving one district out: fitted without its requests and donors, judged on its later alerts.",
    "by_district": "By the district of the request: what shifted it, and observed ÷ expected of later outcomes.",
}
"""Figures of each district: the metric's name, and what to say of the table."""

NAMES = {
    "model": "model",
    "before": "before",
    "oracle": "oracle",
    "oracle_anywhere": "oracle without distance",
    "own_record": "own record",
    "nearest_first": "nearest first",
    "predecessor": "predecessor",
}
FIGURES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "ECE, 10 equal-mass bins",
    "ndcg10": "NDCG@10",
}
_FIGURE = re.compile(rf"({'|'.join(FIGURES)})_({'|'.join(NAMES)}|base_rate)(?:_(.+))?")


_OF_SIMULATED = (
    "Trained on **simulated** donors alone. What it says of real ones is a well-founded guess until it has been",
    "trained on their answers. It sees no name, sex or health data.",
)
_OF_RECORDED = (
    "Trained on what **recorded topics** say of donors who were asked. It sees no name, sex or health data.",
)
_ORACLE = ("The oracle is the simulator's own probability, which knows what no event says.",)
_LIMITS_OF_SIMULATED = (
    "A simulated world is simpler than Kerala. Retrain on recorded answers before its probabilities are relied",
    "upon, and watch its calibration: observed against expected, by version.",
)
_LIMITS_OF_RECORDED = (
    "It learned from whom the policies of that time asked, each alert counted once, whatever its propensity. What",
    "donors did before the topics begin isn't in their rates, and of a profile that compaction took nothing is known:",
    "alerts before the next one teach nothing. An answer that a closing forestalled counts as none; a promise that it",
    "stopped teaches nothing. Watch its calibration: observed against expected, by version.",
)


def is_simulated(entry: Entry) -> bool:
    """Tell whether an artefact was made from simulated donors alone."""
    return str(entry.training_data.get("source", "")).startswith("the project's simulator")


def card_of(entry: Entry, parameters: dict[str, Any], gains: dict[str, float], n_bytes: int) -> str:
    """Return the card as Markdown."""
    lines = [
        f"# {entry.name} {entry.version}",
        "",
        *SAYS[entry.name],
        "",
        *(_OF_SIMULATED if is_simulated(entry) else _OF_RECORDED),
        "",
        "## Features",
        "",
        "| feature | type | unit | share of the gain |",
        "|---|---|---|---|",
        *(f"| `{one.name}` | {one.type} | {one.unit} | {gains[one.name]:.1%} |" for one in entry.features),
        "",
        "## Made from",
        "",
        *(f"- {name}: {_text(value)}" for name, value in entry.training_data.items()),
        f"- parameters: {_text(parameters)}",
        f"- libraries: {_text(entry.libraries)}",
        f"- file: `{entry.file}`, {n_bytes:,} bytes, SHA-256 `{entry.sha256}`",
        "",
        "Cut by time: fitted on the earliest alerts, calibrated on later ones, judged on the latest; the match model",
        "on alerts later than those that the models saw whom it hears. Features are made of the `donor-states` record",
        "as it stood when the alert went out, at the instant of asking.",
        *_apart(entry),
        "",
        "## How good",
        "",
        "On alerts later than all it has seen; 95 % intervals by a bootstrap over requests.",
        *(_ORACLE if is_simulated(entry) else ()),
        "Own record is the donor's own rate with its prior.",
        "",
        *figures_of(entry.metrics),
        *districts_of(entry.metrics),
        "",
        f"Calibration: {_text(entry.metrics['calibration'])}.",
        "",
        "## Limits",
        "",
        *(_LIMITS_OF_SIMULATED if is_simulated(entry) else _LIMITS_OF_RECORDED),
        "",
    ]
    return "\n".join(lines)


def _apart(entry: Entry) -> list[str]:
    """Return lines on what only whoever makes a world can let a model learn from."""
    data = entry.training_data
    if entry.name == MATCH and "sent" in data:
        return [
            "",
            "Beside them it was fitted and calibrated on lists that the system itself sent in another world (`sent`),",
            "with the versions that the earlier alerts alone had made.",
        ]
    if entry.name == AVAILABILITY and data["n_alerts"]["calibrate availability"] < data["n_alerts"]["calibrate"]:
        return [
            "",
            "Calibrated on lists drawn at random alone, since it isn't told how far a request is: it says what is so",
            "where nobody is preferred for living near. Of whom the system asks far away, fewer say yes.",
        ]
    return []


def figures_of(metrics: dict[str, Any]) -> list[str]:
    """Return a table of what was measured: a line for each figure, a column for each of whom it was measured."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    rest = {}
    for name, value in metrics.items():
        match = _FIGURE.fullmatch(name)
        if match:
            rows.setdefault((match[1], match[3] or ""), {})[match[2]] = value
        elif name not in {"calibration", *BY_DISTRICT}:
            rest[name] = value
    columns = [name for name in (*NAMES, "base_rate") if any(name in found for found in rows.values())]
    titles = [NAMES.get(name, "base rate") for name in columns]
    lines = [f"| | {' | '.join(titles)} |", f"|---|{'---|' * len(columns)}"]
    for (figure, of), found in rows.items():
        title = FIGURES[figure] + (f", {of.replace('_', ' ')}" if of else "")
        lines.append(f"| {title} | {' | '.join(_cell(found.get(name)) for name in columns)} |")
    return [*lines, "", *(f"- {name.replace('_', ' ')}: {_text(value)}" for name, value in rest.items())]


def districts_of(metrics: dict[str, Any]) -> list[str]:
    """Return a table for each metric that has a line a district."""
    lines: list[str] = []
    for name, says in BY_DISTRICT.items():
        found = metrics.get(name)
        if not found:
            continue
        columns = list(dict.fromkeys(column for told in found.values() for column in told))
        lines += ["", says, "", f"| | {' | '.join(one.replace('_', ' ') for one in columns)} |"]
        lines.append(f"|---|{'---|' * len(columns)}")
        for district, told in found.items():
            lines.append(f"| {district} | {' | '.join(_cell(told.get(column)) for column in columns)} |")
    return lines


def recalibrated_card_of(entry: Entry, n_bytes: int) -> str:
    """Return the card of a recalibrated version as Markdown."""
    base = entry.training_data["recalibrates"]
    lines = [
        f"# {entry.name} {entry.version}",
        "",
        *SAYS[entry.name],
        "",
        f"The trees and the calibration of {base['version']} (SHA-256 `{base['sha256']}`), and a shift of the",
        "logit by the district of the request, where a district answered otherwise than they expected. Districts that",
        "show too little aren't shifted.",
        "",
        "## Made from",
        "",
        *(f"- {name.replace('_', ' ')}: {_text(value)}" for name, value in entry.training_data.items()),
        f"- file: `{entry.file}`, {n_bytes:,} bytes, SHA-256 `{entry.sha256}`",
        "",
        "## How good",
        "",
        "On outcomes later than those that shifted it; 95 % intervals by a bootstrap over requests.",
        "",
        *figures_of(entry.metrics),
        *districts_of(entry.metrics),
        "",
        "## Limits",
        "",
        "A shift follows how often a district says yes, not who does. Where a district comes to answer otherwise",
        "again, it has to be recalibrated again.",
        "",
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:  # noqa: ANN401 - a figure, with or without its interval
    if value is None:
        return ""
    if isinstance(value, list):
        return f"{value[0]} ({value[1]}–{value[2]})"
    return str(value)


def _text(value: Any) -> str:  # noqa: ANN401 - what JSON has
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return str(value)
