"""``smartblood evaluate``: how good the models are, on data that nobody here made and in worlds that differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smartblood.cli.options import with_settings, writable
from smartblood.cli.train import ENDS_AT, NAMES
from smartblood.cli.world_flags import world_flags
from smartblood.plain_json import json_text
from smartblood.settings import Settings

if TYPE_CHECKING:
    from features.scoring import Panel
    from smartblood.training.elsewhere import Calibrated, Evaluation
    from smartblood.training.judging import Interval
    from smartblood.training.promise import Kept
    from smartblood.training.uci import Donors, Judged


OUT = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SMARTBLOOD_EVALUATE_OUT",
    show_envvar=True,
    callback=writable,
    help="The same as JSON, flat, into this file; without figures of what nobody did.",
)
SEED = click.option(
    "--seed",
    default=1,
    type=click.IntRange(0),
    envvar="SMARTBLOOD_EVALUATE_SEED",
    show_envvar=True,
    help="The same seed, the same figures.",
)


@click.group()
def evaluate() -> None:
    """How good the models are, judged by what they have not seen."""


@evaluate.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.csv")
@click.option(
    "--folds",
    default=10,
    type=click.IntRange(2, 50),
    envvar="SMARTBLOOD_EVALUATE_UCI_FOLDS",
    show_envvar=True,
    help="Parts, each judged by what was learned from the others.",
)
@click.option(
    "--repeats",
    default=5,
    type=click.IntRange(1, 100),
    envvar="SMARTBLOOD_EVALUATE_UCI_REPEATS",
    show_envvar=True,
    help="How often the parts are cut anew.",
)
@SEED
@OUT
def uci(file: Path, folds: int, repeats: int, seed: int, out: Path | None) -> None:
    """Judge monotone boosted trees on UCI's transfusion table (recency, frequency, time, who gave).

    They are of the kind of the model donor_availability, not that model: their parameters are their own, for so small
    a table, their columns are what it has, and nothing calibrates them.

    Rows that are equal lie in one fold. Each figure is the mean over repeats; its 95 % interval is a bootstrap over
    donors. Beside them stand a logistic regression on the columns as they are, and LightGBM as it comes.
    """
    from smartblood.training.uci import evaluate as judge  # noqa: PLC0415 - quick help
    from smartblood.training.uci import read_donors  # noqa: PLC0415

    donors = read_donors(file)
    with click.progressbar(length=1, label="fitting", show_pos=False) as bar:
        judged = judge(donors, n_folds=folds, n_repeats=repeats, seed=seed, on_step=lambda done, n: _step(bar, done, n))
    click.echo(_table(judged))
    n_gave = int(donors.gave.sum())
    click.echo(f"{donors.gave.size} donors, {n_gave} gave; {folds} folds × {repeats}, seed {seed}; 95 % intervals")
    if out is not None:
        out.write_text(json_text(_flat(judged, donors, folds, repeats, seed)) + "\n", "utf-8")


@evaluate.command()
@SEED
@OUT
@click.option(
    "--use",
    multiple=True,
    metavar="MODEL=VERSION",
    envvar="SMARTBLOOD_EVALUATE_WORLD_USE",
    show_envvar=True,
    help="Judge this version in place of the default; of several models each by itself.",
)
@click.option(
    "--recalibrate",
    type=click.Choice(["history", "lists"]),
    envvar="SMARTBLOOD_EVALUATE_WORLD_RECALIBRATE",
    show_envvar=True,
    help="First recalibrate all models, as `models recalibrate` would, by outcomes earlier than those that judge: of "
    "the world's own alerts, or of lists that the system sends there as it is.",
)
@world_flags
@with_settings("models_dir", "models_map_sha256")
def world(
    *,
    seed: int,
    out: Path | None,
    use: tuple[str, ...],
    recalibrate: str | None,
    settings: Settings,
    **parameters: Any,  # noqa: ANN401 - the world's
) -> None:
    """Judge the default versions of all models of donors in a simulated world that they weren't trained in.

    Every parameter of the world is a flag; unless set, it differs from the training world: fewer keen donors, distance
    counts more, alerts tire more. Beside donor_seeker_match stand the simulator's own truth, nearest-first and the
    predecessor's formula, each asking the same number of the same lawful donors, preference classes first. Calibration
    is told of lists drawn at random and of lists that the system itself sends, by what came of them and, as truly ÷
    expected, by the simulator's own probabilities.
    """
    from features.vectors import FEATURES  # noqa: PLC0415 - quick help
    from producers.simulator import World  # noqa: PLC0415
    from smartblood.registry.loading import load_content, load_panel  # noqa: PLC0415
    from smartblood.training.elsewhere import Following  # noqa: PLC0415
    from smartblood.training.elsewhere import evaluate as judge  # noqa: PLC0415
    from smartblood.training.recalibrating import Base  # noqa: PLC0415

    named, folder, pinned = _versions(use), settings.models_dir, settings.models_map_sha256
    panel = load_panel(folder, named, pinned=pinned)
    following = None
    if recalibrate is not None:
        bases = [Base(*load_content(folder, name, named.get(name), pinned=pinned)) for name in FEATURES]
        following = Following(recalibrate, bases)

    def say(step: str) -> None:
        click.echo(f"{step} ...", err=True)

    found = judge(panel, World(**parameters), seed, ENDS_AT, following=following, on_step=say)
    click.echo(_comparison(found))
    if following is not None:
        click.echo(_shifts(found.panel))
    versions = ", ".join(f"{one.name} {one.version}" for one in found.panel)
    click.echo(f"{versions}; seed {seed}; 95 % intervals, by a bootstrap over requests")
    if out is not None:
        out.write_text(json_text(_flat_world(found, seed)) + "\n", "utf-8")


def _shifts(panel: Panel) -> str:
    """Say what a recalibration did."""
    told = []
    for one in panel:
        shifts = one.districts.values()
        by = f"{min(shifts):+.2f} to {max(shifts):+.2f} in {len(shifts)} districts" if shifts else "stays as it is"
        told.append(f"{one.name} {by}")
    return f"recalibrated: {', '.join(told)}"


def _versions(use: tuple[str, ...]) -> dict[str, str]:
    found = dict(one.partition("=")[::2] for one in use)
    if any(name not in NAMES or not version for name, version in found.items()):
        message = f"write it as donor_seeker_match=2.4.0, of {', '.join(NAMES)}"
        raise click.BadParameter(message, param_hint="--use")
    return found


def _comparison(found: Evaluation) -> str:
    lines = [
        f"{found.n:,} alerts of {found.n_requests:,} lists drawn at random, {found.n_gave:,} of them given for",
        f"{'':14}" + "".join(f"{title:>26}" for title in ("auc", "brier", "log_loss", "ece", "gave per alert")),
    ]
    for name, figures in found.figures.items():
        cells = [_cell(figures.get(figure)) for figure in ("auc", "brier", "log_loss", "ece")]
        lines.append(f"{name:14}" + "".join(f"{cell:>26}" for cell in [*cells, _cell(found.gave_per_alert[name])]))
    for name, gain in found.gain_over.items():
        lines.append(f"model over {name}: {gain.value:+.1%} ({gain.lower:+.1%} to {gain.upper:+.1%}) given per alert")
    for name, one in found.calibration.items():
        lines += _calibration_lines(name, one)
    for name, metrics in found.others.items():
        told = {figure: value for figure, value in metrics.items() if not _is_bins(value)}
        lines.append(f"{name}: " + ", ".join(f"{figure} {_short(value)}" for figure, value in told.items()))
    return "\n".join([*lines, _promise_line(found.promise)])


def _calibration_lines(name: str, one: Calibrated) -> list[str]:
    of = name.removeprefix("sent_")
    lists = "lists that the system sends" if name.startswith("sent_") else "lists drawn at random"
    observed = " ".join(f"{of.value:.2f} ({of.lower:.2f}–{of.upper:.2f})" for of in one.observed.ratio)
    true = " ".join(f"{of.value:.2f}" for of in one.true.ratio)
    return [
        f"{of}, {one.n:,} alerts of {lists}: ece {_cell(one.ece)}; ten bins",
        "  expected            " + " ".join(f"{of:.4f}" for of in one.observed.expected),
        f"  observed ÷ expected {observed}",
        f"  truly ÷ expected    {true}",
    ]


def _flat_calibration(name: str, one: Calibrated) -> dict[str, float | int]:
    sent, of = ("sent_" if name.startswith("sent_") else ""), name.removeprefix("sent_")
    prefix = sent + ("" if of == "match" else f"{of}_")
    flat: dict[str, float | int] = {f"{prefix}n": one.n} | _flat_interval(f"{prefix}ece", one.ece) if sent else {}
    for what, bins in (("observed", one.observed), ("true", one.true)):
        for number, ratio in enumerate(bins.ratio, 1):
            flat |= _flat_interval(f"{prefix}{what}_to_expected_{number}", ratio)
    return flat | {f"{prefix}expected_{number}": mean for number, mean in enumerate(one.observed.expected, 1)}


def _promise_line(promise: Kept | None) -> str:
    if promise is None:
        return "promise: no list was sized by the model (donors ran out, or the cap of a list was reached)"
    return (
        f"promise: {promise.n_sized:,} of {promise.n_requests:,} lists with top_k open were sized by the model, asking "
        f"{promise.asked.value:.1f} donors; they claim {promise.claimed.value:.1%}, "
        f"filled {promise.filled.value:.1%} ({promise.filled.lower:.1%} to {promise.filled.upper:.1%})"
    )


def _is_bins(value: object) -> bool:
    """Tell a figure of each bin from a figure with its interval."""
    return isinstance(value, list) and len(value) != 3


def _short(value: object) -> str:
    return f"{value[0]} ({value[1]}–{value[2]})" if isinstance(value, list) else str(value)


def _cell(found: Interval | None) -> str:
    return "" if found is None else f"{found.value:.4f} ({found.lower:.4f}–{found.upper:.4f})"


def _flat_interval(name: str, found: Interval) -> dict[str, float]:
    ends = {"": found.value, "_lower": found.lower, "_upper": found.upper}
    return {f"{name}{ending}": round(value, 6) for ending, value in ends.items()}


def _flat_world(found: Evaluation, seed: int) -> dict[str, float | int]:
    flat: dict[str, float | int] = {"n": found.n, "n_gave": found.n_gave, "n_requests": found.n_requests, "seed": seed}
    for name, figures in found.figures.items():
        ending = "" if name == "model" else f"_{name}"
        for figure, interval in figures.items():
            flat |= _flat_interval(f"{figure}{ending}", interval)
        flat |= _flat_interval(f"gave_per_alert{ending}", found.gave_per_alert[name])
    for name, gain in found.gain_over.items():
        flat |= _flat_interval(f"gain_over_{name}", gain)
    flat |= _flat_promise(found.promise)
    for name, one in found.calibration.items():
        flat |= _flat_calibration(name, one)
    for name, metrics in found.others.items():
        for figure, value in metrics.items():
            if _is_bins(value):
                flat |= {f"{name}_{figure}_{number}": one for number, one in enumerate(value, 1)}
            elif isinstance(value, list):
                ends = zip(("", "_lower", "_upper"), value, strict=True)
                flat |= {f"{name}_{figure}{ending}": one for ending, one in ends}
            else:
                flat[f"{name}_{figure}"] = value
    return flat


def _flat_promise(promise: Kept | None) -> dict[str, float | int]:
    if promise is None:
        return {"promise_n_sized": 0}
    flat: dict[str, float | int] = {"promise_n_requests": promise.n_requests, "promise_n_sized": promise.n_sized}
    for name in ("asked", "claimed", "filled", "difference"):
        flat |= _flat_interval(f"promise_{name}", getattr(promise, name))
    return flat


def _step(bar: object, done: int, n: int) -> None:
    bar.length = n  # type: ignore[attr-defined] # click's bar has no type of its own
    bar.update(done - bar.pos)  # type: ignore[attr-defined]


def _table(judged: list[Judged]) -> str:
    figures = list(judged[0].figures)
    lines = [f"{'':22}" + "".join(f"{figure:>26}" for figure in figures)]
    for one in judged:
        cells = (_cell(found) for found in one.figures.values())
        lines.append(f"{one.name:22}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n".join(lines)


def _flat(judged: list[Judged], donors: Donors, folds: int, repeats: int, seed: int) -> dict[str, float | int]:
    found: dict[str, float | int] = {
        "n": int(donors.gave.size),
        "n_gave": int(donors.gave.sum()),
        "folds": folds,
        "repeats": repeats,
        "seed": seed,
    }
    for number, one in enumerate(judged):
        ending = "" if number == 0 else f"_{one.name.replace(' ', '_')}"
        for figure, interval in one.figures.items():
            found |= _flat_interval(f"{figure}{ending}", interval)
    return found
