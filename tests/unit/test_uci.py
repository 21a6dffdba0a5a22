"""Trees of the models' kind on a table of donors: folds without leaks, figures that can be checked, clear refusals."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from features.habits import HABITS, habit_rows
from smartblood import cli
from smartblood.errors import Fatal
from smartblood.training import uci
from smartblood.training.judging import auc, brier, calibration_error

TABLE = Path(__file__).parents[2].parent / "shared/data/uci_transfusion/transfusion.csv"
HEADER = "Recency (months),Frequency (times),Monetary (c.c. blood),Time (months),target\n"


def table(tmp_path, *rows, header=HEADER):
    path = tmp_path / "donors.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), "utf-8")
    return path


def some_donors(tmp_path, n=80):
    """Whoever gave lately gives again, mostly; each history comes twice."""
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(n // 2):
        recency, frequency = int(rng.integers(0, 24)), int(rng.integers(1, 12))
        time = recency + (frequency - 1) * int(rng.integers(2, 6))
        rows += [f"{recency} ,{frequency},{250 * frequency},{time} ,{int(rng.random() < 0.9 - recency / 30)}"] * 2
    return table(tmp_path, *rows)


def test_habits_are_what_donations_say_of_the_next_one():
    rows = habit_rows([2, 4, math.nan, 6, 3], [50, 1, 0, 3, 2], [98, 4, 7, 26, 3])
    assert rows.shape == (5, len(HABITS))
    np.testing.assert_allclose(rows[0], [2, 50, 98, 50 / 98, 96 / 49, 2 / (96 / 49)])
    np.testing.assert_array_equal(rows[1], [4, 1, 4, 0.25, math.nan, math.nan])
    np.testing.assert_array_equal(rows[2], [math.nan, 0, 7, 0, math.nan, math.nan])
    np.testing.assert_array_equal(rows[3], [6, 3, 26, 3 / 26, 10, 0.6])
    assert np.isnan(rows[4, 4]), "two on one day show no interval"


def test_nobody_is_judged_by_what_was_learned_from_an_equal_row(tmp_path, monkeypatch):
    donors = uci.read_donors(some_donors(tmp_path))

    def spying(rows, gave, others, _seed):
        seen = {tuple(row) for row in rows.tolist()}
        assert not seen & {tuple(row) for row in others.tolist()}
        assert len(rows) + len(others) == donors.gave.size
        return np.full(len(others), gave.mean())

    monkeypatch.setattr(uci, "LEARNERS", {"spy": spying})
    (judged,) = uci.evaluate(donors, n_folds=5, n_repeats=2, seed=3)
    assert judged.figures["brier"].value == pytest.approx(donors.gave.mean() * (1 - donors.gave.mean()), abs=0.02)


def test_figures_are_the_means_over_repeats_of_what_was_said_out_of_fold(tmp_path, monkeypatch):
    donors, said = uci.read_donors(some_donors(tmp_path)), []

    def one(_rows, _gave, others, seed):
        return 1 / (1 + others[:, 0]) ** (1 + seed / 10)

    monkeypatch.setattr(uci, "LEARNERS", {"one": one})
    (judged,) = uci.evaluate(donors, n_folds=4, n_repeats=2, seed=0)
    said = [1 / (1 + donors.raw[:, 0]) ** (1 + seed / 10) for seed in (0, 1)]
    assert judged.figures["auc"].value == pytest.approx(np.mean([auc(donors.gave, one) for one in said]))
    assert judged.figures["brier"].value == pytest.approx(np.mean([brier(donors.gave, one) for one in said]))
    assert judged.figures["auc"].lower < judged.figures["auc"].value < judged.figures["auc"].upper


def test_the_interval_of_a_calibration_error_holds_it():
    donors = uci.Donors(np.ones((200, 3)), np.tile([True, False], 100), np.arange(200))
    found = uci._figure(donors, calibration_error, [np.full(200, 0.5)] * 2)
    assert found.lower == found.value == 0.0 < found.upper


def test_the_command_prints_a_table_and_writes_the_same_flat(tmp_path, capsys):
    path, out = some_donors(tmp_path), tmp_path / "found.json"
    arguments = ["evaluate", "uci", str(path), "--folds", "3", "--repeats", "1", "--out", str(out)]
    assert cli.exit_code(arguments) == 0
    first = json.loads(out.read_text("utf-8"))
    said = capsys.readouterr().out
    assert f"{first['auc']:.4f}" in said
    assert f"{first['brier_logistic_regression']:.4f}" in said
    assert (first["n"], first["folds"], first["repeats"], first["seed"]) == (80, 3, 1, 1)
    assert all(isinstance(value, int | float) for value in first.values())
    assert cli.exit_code(arguments) == 0
    assert json.loads(out.read_text("utf-8")) == first
    assert cli.exit_code([*arguments, "--seed", "2"]) == 0
    assert json.loads(out.read_text("utf-8")) != first


@pytest.mark.parametrize(
    ("rows", "header", "what"),
    [
        (["1,2,3"], "a,b,c\n", "no column recency, frequency, time, target"),
        (["1,2,500,4,0", "1,2,500,x,0"], HEADER, "line 3: .* must be numbers"),
        (["1,2,500,,0"], HEADER, "must be numbers"),
        (["1,2,500,4,7"], HEADER, "line 2: .* 0 or 1"),
        (["1,2,500,4,1", "2,2,500,9,0"], HEADER, "too few"),
        (["1,2,500,4,1", "1,2,500,4,0"] * 12, HEADER, "different ones number 1"),
        (["1,2,500,4,1"] * 12 + [f"{n},2,500,40,0" for n in range(2, 14)], HEADER, "a single kind to learn from"),
        ([], "", "can't be read"),
    ],
)
def test_what_is_no_such_table_is_said(tmp_path, rows, header, what):
    path = table(tmp_path, *rows, header=header)
    with pytest.raises(Fatal, match=what):
        uci.evaluate(uci.read_donors(path), n_folds=10, n_repeats=1, seed=1)
    assert cli.exit_code(["evaluate", "uci", str(path)]) == 3


@pytest.mark.skipif(not TABLE.exists(), reason=f"{TABLE} isn't there")
def test_on_the_real_table_it_is_better_than_what_stands_beside_it():
    donors = uci.read_donors(TABLE)
    assert (donors.gave.size, int(donors.gave.sum())) == (748, 178)
    assert len(np.unique(donors.history)) < 748
    found = {one.name: one.figures for one in uci.evaluate(donors, n_folds=10, n_repeats=1, seed=1)}
    ours = found.pop("monotone trees")
    assert all(ours["auc"].value > other["auc"].value for other in found.values())
    assert all(ours["brier"].value < other["brier"].value for other in found.values())
