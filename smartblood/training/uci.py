"""Trees of the models' kind on data that nobody here made: 748 donors of Hsinchu, who gave in March 2007 or didn't.

What is judged is no model that is in use: a learner of the same kind as that of ``donor_availability`` (monotone
boosted trees), with parameters of its own for so small a table, on the columns that the table has, and without
calibration. Models in use are fitted by ``learning`` with what ``recipes`` says.

Each donor is judged by a model that hasn't seen them, nor anybody of the same history: rows that are equal lie in one
fold. Beside the learner stand a logistic regression on the columns as they are, and LightGBM as it comes.

References
----------
Yeh, Yang and Ting, "Knowledge discovery on RFM model using Bernoulli sequence", Expert Systems with Applications 2009;
UCI Machine Learning Repository, Blood Transfusion Service Center, doi 10.24432/C5GS39.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.habits import HABITS, MORE_IS_MORE, habit_rows
from smartblood.errors import Fatal
from smartblood.training import small_table
from smartblood.training.judging import Interval, auc, brier, calibration_error, log_loss, with_interval

COLUMNS = ("recency", "frequency", "time")
TARGET = "target"
N_SAMPLES = 400

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Predict = Callable[[Floats, Flags, Floats, int], Floats]
"""Fitted on rows and what came of them, says what it expects of others; the last argument is a seed."""
Cut = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Of each fold the places of those who are learned from, and of those who are judged."""

FIGURES: dict[str, Callable[[Flags, Floats], float]] = {
    "auc": auc,
    "brier": brier,
    "log_loss": log_loss,
    "ece": calibration_error,
}


class Donors(NamedTuple):
    """The table: months since the last donation, donations, months since the first; and who gave again.

    ``history`` numbers the distinct rows; donors of one history lie together.
    """

    raw: Floats
    gave: Flags
    history: NDArray[np.int64]


class Judged(NamedTuple):
    """How good a learner is: each figure the mean over repeats, with its 95 % interval over donors."""

    name: str
    figures: dict[str, Interval]


def read_donors(path: Path) -> Donors:
    """Read the table.

    Raises
    ------
    Fatal
        If it can't be read, or isn't one of this form.
    """
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except (OSError, ValueError) as error:
        message = f"{path} can't be read as a table: {' '.join(str(error).split())[:200]}"
        raise Fatal(message) from error
    table.columns = [str(name).split("(")[0].strip().lower() or str(name) for name in table.columns]
    names = {name.split()[0]: name for name in table.columns if name}
    target = TARGET if TARGET in table.columns else next((one for one in table.columns if "donated" in one), None)
    missing = [name for name in COLUMNS if name not in names]
    if missing or target is None:
        message = (
            f"{path}: no column {', '.join([*missing, *([] if target else [TARGET])])}; see UCI's transfusion.data"
        )
        raise Fatal(message)
    numbers = table[[*(names[name] for name in COLUMNS), target]].apply(pd.to_numeric, errors="coerce")
    wrong = ~np.isfinite(numbers.to_numpy(np.float64)).all(axis=1) | ~numbers[target].isin((0, 1)).to_numpy()
    if wrong.any():
        line = int(np.argmax(wrong)) + 2
        message = f"{path}, line {line}: {', '.join(COLUMNS)} must be numbers, and {target} 0 or 1"
        raise Fatal(message)
    raw, gave = numbers.iloc[:, :-1].to_numpy(np.float64), numbers[target].to_numpy(np.float64)
    _, history = np.unique(raw, axis=0, return_inverse=True)
    order = np.argsort(history.ravel(), kind="stable")
    return Donors(raw[order], gave[order].astype(bool), history.ravel()[order].astype(np.int64))


def evaluate(
    donors: Donors, *, n_folds: int, n_repeats: int, seed: int, on_step: Callable[[int, int], None] = lambda *_: None
) -> list[Judged]:
    """Judge the learner, and what stands beside it, by cross-validation.

    Parameters
    ----------
    n_folds, n_repeats, seed : int
        Each repeat cuts the folds anew, from its own seed.
    on_step : callable, optional
        Told how many of all fits are done.

    Raises
    ------
    Fatal
        If there are too few donors for so many folds, or too few that differ.
    """
    fewest = int(min(np.count_nonzero(donors.gave), np.count_nonzero(~donors.gave)))
    if fewest < n_folds:
        message = f"{donors.gave.size} donors, {fewest} of the rarer kind, are too few for {n_folds} folds"
        raise Fatal(message)
    cuts = [_cut(donors, n_folds, seed + repeat) for repeat in range(n_repeats)]
    n_all = len(LEARNERS) * n_repeats
    judged: list[Judged] = []
    for name, predict in LEARNERS.items():
        repeats = []
        for repeat, cut in enumerate(cuts):
            repeats.append(_out_of_fold(donors, predict, cut, seed + repeat))
            on_step(len(judged) * n_repeats + repeat + 1, n_all)
        judged.append(Judged(name, {figure: _figure(donors, measure, repeats) for figure, measure in FIGURES.items()}))
    return judged


def _cut(donors: Donors, n_folds: int, seed: int) -> Cut:
    """Return of each fold who is learned from, and who is judged.

    Raises
    ------
    Fatal
        If too few histories differ: a fold would have nobody, or leave one kind alone to learn from.
    """
    n_histories = len(np.unique(donors.history))
    if n_histories < n_folds:
        message = (
            f"{donors.gave.size} donors are too few for {n_folds} folds: equal histories lie in one fold, and "
            f"different ones number {n_histories}"
        )
        raise Fatal(message)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    cut = list(folds.split(donors.raw, donors.gave, donors.history))
    if any(not these.size or len(np.unique(donors.gave[others])) == 1 for others, these in cut):
        message = (
            f"{donors.gave.size} donors have {n_histories} different histories, too few of the rarer kind: "
            f"one of {n_folds} folds would leave a single kind to learn from; give fewer --folds, or more donors"
        )
        raise Fatal(message)
    return cut


def _out_of_fold(donors: Donors, predict: Predict, cut: Cut, seed: int) -> Floats:
    found = np.empty(donors.gave.size)
    for others, these in cut:
        found[these] = predict(donors.raw[others], donors.gave[others], donors.raw[these], seed)
    return found


def _figure(donors: Donors, measure: Callable[[Flags, Floats], float], repeats: list[Floats]) -> Interval:
    def mean(places: NDArray[np.int64]) -> float:
        gave = donors.gave[places]
        return float(np.mean([measure(gave, probability[places]) for probability in repeats]))

    is_distance = measure is calibration_error
    return with_interval(mean, donors.history, seed=0, n_samples=N_SAMPLES, is_distance=is_distance)


def _monotone(rows: Floats, gave: Flags, others: Floats, seed: int) -> Floats:
    text = small_table.fit(habit_rows(*rows.T), gave, HABITS, MORE_IS_MORE, seed=seed)
    return small_table.probabilities(text, habit_rows(*others.T), HABITS)


def _logistic(rows: Floats, gave: Flags, others: Floats, seed: int) -> Floats:  # noqa: ARG001 - nothing is drawn
    found: Floats = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, gave).predict_proba(others)[:, 1]
    return found


def _lightgbm(rows: Floats, gave: Flags, others: Floats, seed: int) -> Floats:
    data = lightgbm.Dataset(rows, gave.astype(np.int8), params={"verbose": -1})
    fixed = {"objective": "binary", "verbose": -1, "num_threads": 1, "deterministic": True, "seed": seed}
    return np.asarray(lightgbm.train(fixed, data, 100).predict(others), np.float64)


LEARNERS: dict[str, Predict] = {
    "monotone trees": _monotone,
    "logistic regression": _logistic,
    "lightgbm as it comes": _lightgbm,
}
