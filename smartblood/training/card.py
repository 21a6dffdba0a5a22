"""The card of a model: what it is, what it was made from, how good it is, and what it isn't for."""

from __future__ import annotations

from typing import Any

from smartblood.registry.manifest import Entry

_FIGURES = (
    ("AUC", "auc", ("model", "oracle", "nearest_first", "predecessor")),
    ("log loss", "log_loss", ("model", "oracle")),
    ("Brier", "brier", ("model", "oracle")),
    ("ECE, 10 equal-mass bins", "ece", ("model", "oracle")),
)
_RANKED = ("model", "oracle", "nearest_first", "predecessor")


def card_of(entry: Entry, parameters: dict[str, Any], gains: dict[str, float], n_bytes: int) -> str:
    """Return the card as Markdown."""
    metrics, data = entry.metrics, entry.training_data
    lines = [
        f"# {entry.name} {entry.version}",
        "",
        "P(this donor gives for this request, if asked): a probability, calibrated, for donors who may lawfully be",
        "asked. It orders donors within a preference class and says how many to ask; it never decides who may give.",
        "",
        "Trained on **simulated** donors alone. What it says of real ones is a well-founded guess until it has been",
        "trained on their answers. It sees no name, sex, age or health data.",
        "",
        "## Features",
        "",
        "| feature | unit | share of the gain |",
        "|---|---|---|",
        *(f"| `{one.name}` | {one.unit} | {gains[one.name]:.1%} |" for one in entry.features),
        "",
        "## Made from",
        "",
        *(f"- {name}: {_text(value)}" for name, value in data.items()),
        f"- parameters: {_text(parameters)}",
        f"- libraries: {_text(entry.libraries)}",
        f"- file: `{entry.file}`, {n_bytes:,} bytes, SHA-256 `{entry.sha256}`",
        "",
        "Cut by time: fitted on the earliest alerts, calibrated on later ones, judged on the latest. The donor's",
        "features are those of the `donor-states` record as it stood when the alert went out.",
        "",
        "## How good",
        "",
        f"On {metrics['n_alerts']:,} alerts later than all it has seen, {metrics['n_gave']:,} of which were given for;",
        "95 % intervals by a bootstrap over requests. The oracle is the simulator's own probability, which knows",
        "what no event says. Nearest-first orders by distance; the predecessor's formula is",
        "0.4 × availability + 0.3 × (1 − km / 50) + 0.3 × reliability.",
        "",
        "| | model | oracle | nearest first | predecessor | base rate |",
        "|---|---|---|---|---|---|",
    ]
    for title, figure, of in _FIGURES:
        cells = [_cell(metrics.get(f"{figure}_{one}")) if one in of else "" for one in _RANKED]
        lines.append(f"| {title} | {' | '.join(cells)} | {metrics.get(f'{figure}_base_rate', '')} |")
    ranked = [_cell(metrics[f"ndcg10_{one}_drawn_at_random"]) for one in _RANKED]
    lines += [
        f"| NDCG@10 | {' | '.join(ranked)} | |",
        "",
        f"NDCG is over the {metrics['n_alerts_drawn_at_random']:,} alerts of lists that were drawn at random among the",
        "lawful donors in reach, since a policy that chose the list would favour its like. On these the model's ECE is",
        f"{metrics['ece_model_drawn_at_random']}. Calibration: {_text(metrics['calibration'])}.",
        "",
    ]
    return "\n".join(lines)


def _cell(interval: Any) -> str:  # noqa: ANN401 - as metrics have it
    if interval is None:
        return ""
    value, lower, upper = interval
    return f"{value:.4f} ({lower:.4f}–{upper:.4f})"


def _text(value: Any) -> str:  # noqa: ANN401 - JSON data
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)
