"""``docs/models.md``: what all default models are, and how good, from the manifest alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.vectors import FEATURES
from smartblood.registry.manifest import Entry, Manifest
from smartblood.training.card import SAYS, districts_of, figures_of

BINS = ("observed_to_expected", "expected")
"""Lists in a model's metrics, one entry a bin, lowest first."""


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
        "event says.",
        "",
        "| model | version | bytes | features | SHA-256 |",
        "|---|---|---|---|---|",
        *(
            f"| `{one.name}` | {one.version} | {(models_dir / one.file).stat().st_size:,} | {len(one.features)} "
            f"| `{one.sha256[:16]}…` |"
            for one in entries
        ),
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
        *_bins(entry.metrics),
        *districts_of(entry.metrics),
    ]


def _bins(metrics: dict[str, Any]) -> list[str]:
    """Return a table of calibration: in ten bins of equal numbers of scores, what was expected and what was seen."""
    lines = []
    for name, ratios in metrics.items():
        if not name.startswith("observed_to_expected"):
            continue
        of = name.removeprefix("observed_to_expected").replace("_", " ").strip()
        expected = metrics[name.replace("observed_to_expected", "expected", 1)]
        lines += [
            "",
            f"Calibration{f', {of}' if of else ''}: ten bins of equal numbers of scores, lowest first.",
            "",
            f"| {' | '.join(['', *map(str, range(1, len(ratios) + 1))])} |",
            f"|{'---|' * (len(ratios) + 1)}",
            f"| expected | {' | '.join(f'{one:.3f}' for one in expected)} |",
            f"| observed ÷ expected | {' | '.join(f'{one:.2f}' for one in ratios)} |",
        ]
    return lines
