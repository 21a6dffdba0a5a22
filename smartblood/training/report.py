"""``docs/models.md``: what all default models are, and how good, from the manifest alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from features.vectors import FEATURES
from smartblood.registry.manifest import Entry, Manifest
from smartblood.training.bars import told
from smartblood.training.card import SAYS, districts_of, figures_of

BINS = ("observed_to_expected", "expected", "bins_")
"""Lists in a model's metrics, one entry a bin, lowest first."""

PICTURES = "pictures"
"""The folder beside the report that holds a picture of each model's calibration, by the model's name."""


RATIO = "observed_to_expected"


class Calibration(NamedTuple):
    """Of what a model says: in bins of equal numbers of scores, lowest first, what was expected and what was seen.

    Parameters
    ----------
    of : str
        Which of the things that the model says, empty where it says one.
    expected : list of float
        Mean score.
    ratio, lower, upper : list of float
        Observed ÷ expected, and its 95 % interval; that is empty where the version was judged without.
    true : list of float
        The same by the simulator's own probabilities; empty where nobody knows them.
    """

    of: str
    expected: list[float]
    ratio: list[float]
    lower: list[float]
    upper: list[float]
    true: list[float]


def report_of(manifest: Manifest, models_dir: Path) -> str:
    """Return the report as Markdown.

    Raises
    ------
    Fatal
        If a model of donors has no default version.
    """
    entries = [manifest.entry(name) for name in FEATURES]
    lines = [
        "# The models of donors",
        "",
        "Written by `smartblood models report` from `models_artifacts/model_map.json`; a test holds the two together.",
        "Each model's own card, beside its artefact, says from what and how it was made.",
        "",
        "All are trained and judged on **simulated** donors, on later alerts than any they have seen, with 95 %",
        "intervals by a bootstrap over requests. The oracle is the simulator's own probability, which knows what no",
        "event says; without distance it is averaged over the distances at which a donor is asked at random, for",
        "`donor_availability` isn't told how far the request is. Where few in a bin say yes, observed ÷ expected is",
        "noise for the most part: truly ÷ expected is the same by the simulator's own probabilities.",
        "",
        "| model | version | bytes | features | SHA-256 |",
        "|---|---|---|---|---|",
        *(
            f"| `{one.name}` | {one.version} | {(models_dir / one.file).stat().st_size:,} | {len(one.features)} "
            f"| `{one.sha256[:16]}…` |"
            for one in entries
        ),
        "",
        *told(manifest),
    ]
    for entry in entries:
        lines += ["", *_section(entry)]
    return "\n".join([*lines, ""])


def _section(entry: Entry) -> list[str]:
    metrics = {name: value for name, value in entry.metrics.items() if not name.startswith(BINS)}
    return [
        f"## {entry.name}",
        "",
        *SAYS[entry.name],
        "",
        "| feature | unit |",
        "|---|---|",
        *(f"| `{one.name}` | {one.unit} |" for one in entry.features),
        "",
        *figures_of(metrics),
        "",
        f"![Calibration of {entry.name}]({PICTURES}/{entry.name}.png)",
        *_bins(entry.metrics),
        *districts_of(entry.metrics),
    ]


def _bins(metrics: dict[str, Any]) -> list[str]:
    """Return a table of calibration: in ten bins of equal numbers of scores, what was expected and what was seen."""
    lines = []
    for one in calibrations_of(metrics):
        rows: dict[str, Iterable[str]] = {
            "expected": (f"{value:.3f}" for value in one.expected),
            "observed ÷ expected": (f"{value:.2f}" for value in one.ratio),
        }
        if one.lower:
            ends = zip(one.lower, one.upper, strict=True)
            rows["95 % interval"] = (f"{lower:.2f}–{upper:.2f}" for lower, upper in ends)
        if one.true:
            rows["truly ÷ expected"] = (f"{value:.2f}" for value in one.true)
        lines += [
            "",
            f"Calibration{f', {one.of}' if one.of else ''}: ten bins of equal numbers of scores, lowest first.",
            "",
            f"| {' | '.join(['', *map(str, range(1, len(one.ratio) + 1))])} |",
            f"|{'---|' * (len(one.ratio) + 1)}",
            *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()),
        ]
    return lines


def calibrations_of(metrics: dict[str, Any]) -> list[Calibration]:
    """Return what a model's metrics say of its calibration, bin by bin."""
    found = []
    for name, ratios in metrics.items():
        if not name.startswith(RATIO):
            continue
        ending = name.removeprefix(RATIO)
        lower, upper, true = (metrics.get(f"bins_{of}{ending}", []) for of in ("lower", "upper", "true"))
        of = ending.replace("_", " ").strip()
        found.append(Calibration(of, metrics[f"expected{ending}"], ratios, lower, upper, true))
    return found
