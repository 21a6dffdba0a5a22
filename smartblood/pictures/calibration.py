"""Pictures of calibration: what a model says against what came of it, from the manifest alone.

They say in words and marks what they say in colour.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from features.vectors import FEATURES
from smartblood.registry.manifest import Manifest
from smartblood.training.report import Calibration, calibrations_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE_INCHES, DPI = 3.6, 76
SEEN, TRUE, BAND = "#1b4f72", "#b9770e", "#d5d8dc"
WIDE = 50
"""From how many times as much on there are fewer marks on an axis."""

TOLERANCE = 0.15
"""What observed ÷ expected may be off by, in the world that a model is made for."""


def pictures_of(manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    """Yield for each model of donors its name and a picture of its calibration, as PNG.

    A model that says several things has one beside the other.

    Raises
    ------
    Fatal
        If a model of donors has no default version.
    """
    for name in FEATURES:
        entry = manifest.entry(name)
        found = calibrations_of(entry.metrics)
        if found:
            yield name, _picture(f"{name} {entry.version}", found)


def _picture(title: str, found: list[Calibration]) -> bytes:
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 8}):
        figure = Figure(figsize=(SIDE_INCHES * len(found), SIDE_INCHES + 0.4), dpi=DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        figure.suptitle(f"{title}\nten bins of equal numbers of scores")
        for place, one in enumerate(found, 1):
            _draw(figure.add_subplot(1, len(found), place), one)
        data = io.BytesIO()
        canvas.print_figure(data, format="png", metadata={"Software": None})
        return data.getvalue()


def _draw(axes: Axes, one: Calibration) -> None:
    seen = _shares(one.ratio, one)
    lower, upper = _shares(one.lower or one.ratio, one), _shares(one.upper or one.ratio, one)
    least = max(0.7 * min([*one.expected, *(value for value in lower if value > 0)]), 1e-4)
    most = 1.3 * max([*one.expected, *upper])
    line = [least, most]
    low, high = ([(1 + side * TOLERANCE) * value for value in line] for side in (-1, 1))
    axes.fill_between(line, low, high, color=BAND, label=f"within ±{TOLERANCE:.0%}")
    axes.plot(line, line, color="black", linewidth=0.8)
    ends = [
        [max(value - end, 0.0) for value, end in zip(seen, lower, strict=True)],
        [max(end - value, 0.0) for value, end in zip(seen, upper, strict=True)],
    ]
    axes.errorbar(one.expected, seen, yerr=ends, fmt="none", ecolor=SEEN, elinewidth=1, capsize=2 if one.lower else 0)
    label = "came of it, 95 %" if one.lower else "came of it"
    axes.plot(one.expected, seen, "o", color=SEEN, markersize=5, label=label)
    if one.true:
        axes.plot(one.expected, _shares(one.true, one), "x", color=TRUE, markersize=7, label="truly (simulator)")
    axes.set(xscale="log", yscale="log", xlim=line, ylim=line)
    axes.set(xlabel="expected: mean of what the model says", ylabel="share observed", title=one.of or None)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if most < WIDE * least else (1, 3)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.grid(visible=True, linewidth=0.4, alpha=0.5)
    axes.legend(loc="upper left")


def _shares(ratios: list[float], one: Calibration) -> list[float]:
    return [ratio * mean for ratio, mean in zip(ratios, one.expected, strict=True)]
