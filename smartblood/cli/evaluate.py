"""``smartblood evaluate``: how good the models are, on data that nobody here made and in worlds that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from smartblood.training.uci import Donors, Judged

OUT = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SMARTBLOOD_EVALUATE_OUT",
    show_envvar=True,
    help="The same as JSON, flat, into this file.",
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
    """Judge the availability learner on UCI's transfusion table (recency, frequency, time, who gave).

    Rows that are equal lie in one fold. Each figure is the mean over repeats; its 95 % interval is a bootstrap over
    donors. Beside it stand a logistic regression on the columns as they are, and LightGBM as it comes.
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
        out.write_text(json.dumps(_flat(judged, donors, folds, repeats, seed), indent=2) + "\n", "utf-8")


def _step(bar: object, done: int, n: int) -> None:
    bar.length = n  # type: ignore[attr-defined] # click's bar has no type of its own
    bar.update(done - bar.pos)  # type: ignore[attr-defined]


def _table(judged: list[Judged]) -> str:
    figures = list(judged[0].figures)
    lines = [f"{'':22}" + "".join(f"{figure:>26}" for figure in figures)]
    for one in judged:
        cells = (f"{found.value:.4f} ({found.lower:.4f}–{found.upper:.4f})" for found in one.figures.values())
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
            found[f"{figure}{ending}"] = round(interval.value, 6)
            found[f"{figure}{ending}_lower"] = round(interval.lower, 6)
            found[f"{figure}{ending}_upper"] = round(interval.upper, 6)
    return found
