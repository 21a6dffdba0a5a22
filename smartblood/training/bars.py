"""What was asked of the models of donors, and what was found: each bar by itself, reached or not.

What later alerts say of a version is in the manifest, and is worked out from there. Whom to ask first, and whether
lists keep their promise, takes a world of its own: those figures are what ``smartblood evaluate world`` said of the
version that is named here, to be written anew with another one. What a machine takes is told by benchmarks, not here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from features.vectors import AVAILABILITY, FEATURES, MATCH
from smartblood.registry.manifest import Manifest

JUDGED = "2.4.0"
"""The version of all four models that ``WORLDS`` speaks of."""


class World(NamedTuple):
    """What ``smartblood evaluate world --out`` said of a seed, in the world that was trained in.

    Parameters
    ----------
    seed : int
    over_nearest, over_predecessor : tuple of float
        Given per alert relative to nearest-first and to the predecessor's formula, with its 95 % interval.
    auc, auc_oracle : float
        Of ``donor_availability``, and of the simulator's own probability to say yes.
    ece : mapping of str to float
        By model, on lists drawn at random; of ``donor_response_time`` the greatest of its three.
    off : mapping of str to float
        Of the ten bins the one that is furthest off: truly ÷ expected, less 1, without its sign.
    claimed, filled : float
        Of lists that the model sized.
    """

    seed: int
    over_nearest: tuple[float, float, float]
    over_predecessor: tuple[float, float, float]
    auc: float
    auc_oracle: float
    ece: Mapping[str, float]
    off: Mapping[str, float]
    claimed: float
    filled: float


def _of_models(*figures: float) -> dict[str, float]:
    return dict(zip(FEATURES, figures, strict=False))


WORLDS = (
    World(
        seed=71,
        over_nearest=(0.345, 0.289, 0.408),
        over_predecessor=(0.052, 0.029, 0.081),
        auc=0.7651,
        auc_oracle=0.8892,
        ece=_of_models(0.0033, 0.0037, 0.0229, 0.0083),
        off=_of_models(0.16, 0.09),
        claimed=0.904,
        filled=0.901,
    ),
    World(
        seed=72,
        over_nearest=(0.303, 0.247, 0.357),
        over_predecessor=(0.014, -0.009, 0.044),
        auc=0.7579,
        auc_oracle=0.8939,
        ece=_of_models(0.0024, 0.0050, 0.0264, 0.0095),
        off=_of_models(0.09, 0.16),
        claimed=0.904,
        filled=0.896,
    ),
)
"""12,000 donors, 730 days; seeds that nothing was fitted on or chosen by."""


class Shifted(NamedTuple):
    """What ``smartblood evaluate world`` said of the shifted world, with the versions as they are, without intervals.

    Parameters
    ----------
    n_donors, seed : int
    off, ece : mapping of str to tuple of float
        By model, on lists drawn at random and on those that the system sent: the bin that is furthest off, as in
        ``World``, and the calibration error.
    claimed, filled : float
        Of lists that the model sized.
    """

    n_donors: int
    seed: int
    off: Mapping[str, tuple[float, float]]
    ece: Mapping[str, tuple[float, float]]
    claimed: float
    filled: float


SHIFTED = Shifted(
    n_donors=6_000,
    seed=5,
    off={MATCH: (0.66, 0.71), AVAILABILITY: (0.31, 0.66)},
    ece={MATCH: (0.0074, 0.0072), AVAILABILITY: (0.0120, 0.0537)},
    claimed=0.902,
    filled=0.789,
)
"""As decision 30 has it: one run; of 12,000 donors there is none."""

UCI_AUC, UCI_BRIER = 0.7553, 0.1499
"""What ``smartblood evaluate uci`` says of UCI's transfusion table: 10 folds, 5 repeats, seed 1."""

BENCHES = {
    "all five models loaded": ("at most 100 ms, 60 MB above the process", "bench_loading"),
    "donor events a second, in columns without Kafka": ("50,000", "bench_donor_state"),
    "donor events a second, exactly once": ("20,000", "bench_stream"),
    "requests matched a second and core, with all models": ("700", "bench_matching"),
}
"""What was asked for of a machine, and which benchmark in ``tests/bench`` prints what a machine gives."""

UCI_AUC_LEAST, UCI_BRIER_MOST = 0.755, 0.153
SHIFTED_ECE_MOST, SHIFTED_OFF_MOST = 0.04, 0.30
NEAREST_GAIN, PREDECESSOR_GAIN = 0.25, 0.10
ORACLE_SHARE = 0.97
ECE_MOST = 0.02
OFF_MOST = 0.15
PROMISE_OFF_MOST = 0.02


class Bar(NamedTuple):
    """What was asked for and what was found, as people read it; reached where all that was found reaches it."""

    of: str
    asked: str
    found: str
    is_reached: bool


def bars_of(manifest: Manifest) -> list[Bar]:
    """Return all bars.

    Raises
    ------
    Fatal
        If a model of donors has no default version.
    """
    metrics = {name: manifest.entry(name).metrics for name in FEATURES}
    return [
        _gain("given per alert over nearest-first", NEAREST_GAIN, [one.over_nearest for one in WORLDS]),
        _gain(
            "given per alert over the predecessor's formula", PREDECESSOR_GAIN, [one.over_predecessor for one in WORLDS]
        ),
        *_shares(metrics[AVAILABILITY]),
        *(bar for name in FEATURES for bar in _errors(name, metrics[name])),
        *(bar for name in FEATURES if name in WORLDS[0].off for bar in _offs(name, metrics[name])),
        _promise("worlds", [one.filled - one.claimed for one in WORLDS]),
        _promise("shifted world", [SHIFTED.filled - SHIFTED.claimed]),
        *_shifted(),
        *_uci(),
    ]


def told(manifest: Manifest) -> list[str]:
    """Return lines of Markdown on what was asked for and what was found."""
    bars = bars_of(manifest)
    n_reached, seeds = sum(bar.is_reached for bar in bars), " and ".join(str(one.seed) for one in WORLDS)
    return [
        "## Asked for and found",
        "",
        f"{n_reached} of {len(bars)} bars are reached. Worlds are what `smartblood evaluate world` says of",
        f"{JUDGED} with the seeds {seeds}, of lists drawn at random in the world that was trained in (12,000",
        "donors, 730 days; every parameter in which the shifted world differs set back by its flag): nothing was",
        "fitted on them or chosen by them. Why some bars seem out of reach says [decision",
        "23](adr/0023-whom-models-must-be-right-of.md): in one world a nearly ideal observer of all events gained",
        "4.6 % over the formula, as it heard the models of then, and had an AUC of 0.832, the oracle 0.890. The",
        "formula hears our own `donor_availability` and `donor_reliability`. Of the 2,600 promises of such a world",
        "chance alone makes a calibration error of 0.025.",
        "",
        "Whether lists are filled is worked out from the simulator's own probability of each donor who is asked, for",
        "lists one after the other over the same donors: their hidden traits stay the same from list to list, and no",
        "list tires anybody for the next. The shifted world is one run with",
        f"{SHIFTED.n_donors:,} donors and the seed {SHIFTED.seed}, the versions as they are, on lists drawn at random",
        "and on those that the system sent; what a recalibration changes there says [decision",
        "30](adr/0030-more-donors.md). UCI's table is judged by a learner of its own",
        "(`smartblood/training/small_table.py`), fitted to it fold by fold: none of the models is.",
        "",
        "| | asked for | found | |",
        "|---|---|---|---|",
        *(
            f"| {bar.of} | {bar.asked} | {bar.found} | {'reached' if bar.is_reached else '**not reached**'} |"
            for bar in bars
        ),
        *(
            f"| {of} | {asked} | `tests/bench/{bench}.py` prints it | a machine's: `make bench` |"
            for of, (asked, bench) in BENCHES.items()
        ),
    ]


def _gain(of: str, asked: float, found: Sequence[tuple[float, float, float]]) -> Bar:
    said = ", ".join(f"{value:+.1%} ({lower:+.1%} to {upper:+.1%})" for value, lower, upper in found)
    return Bar(f"{of}, worlds", f"{asked:+.0%}", said, all(value >= asked for value, _, _ in found))


def _shares(metrics: Mapping[str, Any]) -> list[Bar]:
    of = f"AUC of `{AVAILABILITY}`, of the oracle's"
    found = [("worlds", [one.auc / one.auc_oracle for one in WORLDS])]
    if "auc_oracle" in metrics:
        found.append(("later alerts", [metrics["auc_model"][0] / metrics["auc_oracle"][0]]))
    return [
        Bar(f"{of}, {where}", f"{ORACLE_SHARE:.0%}", _percent(shares), all(one >= ORACLE_SHARE for one in shares))
        for where, shares in found
    ]


def _errors(name: str, metrics: Mapping[str, Any]) -> list[Bar]:
    later = [
        value[0] for figure, value in metrics.items() if figure.startswith("ece_model") and isinstance(value, list)
    ]
    found = [("worlds", [one.ece[name] for one in WORLDS]), *([("later alerts", [max(later)])] if later else [])]
    return [
        Bar(
            f"calibration error of `{name}`, {where}",
            f"at most {ECE_MOST:g}",
            ", ".join(f"{one:.4f}" for one in errors),
            max(errors) <= ECE_MOST,
        )
        for where, errors in found
    ]


def _offs(name: str, metrics: Mapping[str, Any]) -> list[Bar]:
    of = f"the bin of ten of `{name}` that is furthest off the truth"
    found = [("worlds", [one.off[name] for one in WORLDS])]
    if "bins_true" in metrics:
        found.append(("later alerts", [max(abs(one - 1) for one in metrics["bins_true"])]))
    return [
        Bar(f"{of}, {where}", f"at most {OFF_MOST:.0%}", _percent(off), max(off) <= OFF_MOST) for where, off in found
    ]


def _promise(where: str, found: list[float]) -> Bar:
    said = ", ".join(f"{100 * one:+.1f}" for one in found)
    is_kept = max(map(abs, found)) <= PROMISE_OFF_MOST
    return Bar(f"lists that are filled, less what they claim, {where}", "within 2 points", said, is_kept)


def _shifted() -> list[Bar]:
    where = "shifted world, drawn at random and sent"
    return [
        bar
        for name in SHIFTED.off
        for bar in (
            Bar(
                f"the bin of ten of `{name}` that is furthest off the truth, {where}",
                f"at most {SHIFTED_OFF_MOST:.0%}",
                _percent(SHIFTED.off[name]),
                max(SHIFTED.off[name]) <= SHIFTED_OFF_MOST,
            ),
            Bar(
                f"calibration error of `{name}`, {where}",
                f"at most {SHIFTED_ECE_MOST:g}",
                ", ".join(f"{one:.4f}" for one in SHIFTED.ece[name]),
                max(SHIFTED.ece[name]) <= SHIFTED_ECE_MOST,
            ),
        )
    ]


def _uci() -> list[Bar]:
    of = "UCI transfusion, 10 folds × 5, a learner of its own"
    return [
        Bar(f"AUC, {of}", f"at least {UCI_AUC_LEAST:g}", f"{UCI_AUC:.4f}", UCI_AUC >= UCI_AUC_LEAST),
        Bar(f"Brier, {of}", f"at most {UCI_BRIER_MOST:g}", f"{UCI_BRIER:.4f}", UCI_BRIER <= UCI_BRIER_MOST),
    ]


def _percent(shares: Sequence[float]) -> str:
    return ", ".join(f"{one:.0%}" for one in shares)
