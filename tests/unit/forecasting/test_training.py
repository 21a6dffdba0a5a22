from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from features.demand import Demand, history_of
from features.series import SeriesTable
from producers.simulator import World
from producers.simulator.demand import daily_demand
from smartblood import cli
from smartblood.cli import train
from smartblood.errors import Fatal
from smartblood.forecasting import fitting, training
from smartblood.forecasting.demand_file import read_demand
from smartblood.registry.loading import load_forecaster

TODAY = dt.date(2026, 11, 28)
HEAD = "district,blood_group,day,units_requested,units_fulfilled\n"


def written(path, text):
    path.write_text(text)
    return path


def test_a_file_that_is_imported_is_learned_from_too_days_without_a_row_as_days_without_demand(tmp_path):
    rows = (
        "Kollam,O+,2025-01-01,3,1\nKollam,O+,2025-01-04,2,2\nKannur,A-,2025-01-03,1,0\nIdukki,unknown,2024-01-01,1,0\n"
    )
    table, origin = read_demand(written(tmp_path / "demand.csv", HEAD + rows), TODAY)
    values = dict(zip(table.names, table.values, strict=True))
    assert np.array_equal(values["Kannur", "A_NEG"][-4:], [np.nan, np.nan, 1, 0], equal_nan=True)
    assert values["Kollam", "O_POS"][-4:].tolist() == [3, 0, 0, 2]
    assert (origin["source"], origin["file"], len(origin["file_sha256"])) == ("recorded demand", "demand.csv", 64)


def test_a_file_gives_the_history_that_a_trigger_is_given_once_it_is_imported(tmp_path):
    rows = [
        ("Kollam", "O+", "2025-01-01", 3),
        ("Kollam", "O+", "2025-01-04", 2),
        ("Kollam", "Oh+", "2025-01-02", 0),
        ("Kannur", "A-", "2025-01-03", 1),
        ("Kannur", "Oh-", "2025-01-03", 1),
        ("Kannur", "unknown", "2024-12-30", 4),  # since then it is known what is asked for there
        ("Idukki", "unknown", "2025-01-05", 1),
    ]
    lines = "".join(f"{district},{group},{day},{units},0\n" for district, group, day, units in rows)
    table, _ = read_demand(written(tmp_path / "demand.csv", HEAD + lines), TODAY)
    known = {
        (district, group): [
            (dt.date.fromisoformat(day).toordinal() - dt.date(1970, 1, 1).toordinal(), units)
            for *of, day, units in rows
            if of == [district, group]
        ]
        for district, group, _, _ in rows
    }
    recorded = [Demand(*of, *zip(*found, strict=True)) for of, found in known.items()]
    expected = history_of(recorded, (dt.date(2025, 1, 6) - dt.date(1970, 1, 1)).days)
    assert table.names == expected.names
    assert table.days.tolist() == expected.days.tolist()
    assert np.array_equal(table.values, expected.values, equal_nan=True)


def test_what_is_learned_from_a_file_is_all_of_it_however_long(tmp_path):
    text = HEAD + "Kollam,O+,2005-01-01,3,1\nKollam,O+,2025-01-04,2,2\n"
    table, _ = read_demand(written(tmp_path / "demand.csv", text), TODAY)
    assert str(table.days[0]) == "2005-01-01"
    assert np.nansum(table.values) == 5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("district,day\n", "line 1 should name"),
        (HEAD, "no rows"),
        (HEAD + "Kollam,unknown,2025-01-01,3,1\n", "no rows of a known group"),
        (HEAD + "Atlantis,O+,2025-01-01,3,1\n", "line 2: district: 'Atlantis'"),
        (HEAD + "Kollam,O,2025-01-01,3,1\n", "line 2: blood_group: 'O'"),
        (HEAD + "Kollam,O+,1 May,3,1\n", "line 2: day: '1 May'"),
        (HEAD + "Kollam,O+,2025-01-01,x,1\n", "line 2: units_requested: 'x'"),
        (HEAD + "Kollam,O+,2025-01-01,-3,1\n", "line 2: units_requested: '-3'"),
        (HEAD + "Kollam,O+,2025-01-01,3,1\n" * 2, "line 3: the same district, group and day as line 2"),
        (HEAD + "Kollam,O+,1025-01-01,3,1\nKollam,O+,2025-01-01,3,1\n", "line 2: day: 1025-01-01 is not within"),
    ],
)
def test_a_file_that_is_no_demand_says_where_and_why(tmp_path, text, why):
    with pytest.raises(Fatal) as refused:
        read_demand(written(tmp_path / "demand.csv", text), TODAY)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_asked_for_in_a_world_is_the_same_for_the_same_seed_and_of_its_size():
    last = np.datetime64("2025-12-31")
    one, again, other = (daily_demand(World(), seed, last, 200) for seed in (1, 1, 2))
    assert one.values.tobytes() == again.values.tobytes() != other.values.tobytes()
    assert one.days[-1] == last
    a_day = one.values.sum(axis=0).mean()
    assert 0.5 * 38 * 1.61 < a_day < 2_000 * 38 * 1.61
    requests = np.count_nonzero(one.values)
    assert 0 < requests < one.values.size
    two = daily_demand(World(), 1, last, 200, 2)
    assert two.values[: len(one.names)].tobytes() == one.values.tobytes(), "the first is the same"
    assert len(set(two.names)) == 2 * len(one.names)
    assert {name for name, _ in two.names[len(one.names) :]} == {f"{name} 2" for name, _ in one.names}


def test_training_makes_an_artefact_that_is_loaded_and_the_same_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fitting, "N_TREES", 3)
    monkeypatch.setattr(fitting, "ROWS_MAX", 4_000)
    monkeypatch.setattr(fitting, "ROWS_A_SERIES", 15)
    monkeypatch.setattr(train, "KERALAS", 2)
    monkeypatch.setattr(training, "HORIZON", 6)
    monkeypatch.setattr(training, "N_ORIGINS", 2)
    arguments = ["train", "demand_forecast", "--days", "420", "--version", "0.0.1", "--out", str(tmp_path)]
    assert cli.exit_code(arguments) == 0
    forecaster = load_forecaster(tmp_path)
    assert (forecaster.version, len(forecaster.conformal)) == ("0.0.1", 6)
    card = (tmp_path / "demand_forecast/0.0.1/card.md").read_text("utf-8")
    assert "the project's simulator; no real demand" in card
    assert "mean of 91 days" in card
    assert cli.exit_code(arguments) == 0
    assert "there already, the same" in capsys.readouterr().out
    again = SeriesTable(
        (("Kollam", "O_POS"),), np.arange("2025-01-01", "2025-03-01", dtype="datetime64[D]"), np.ones((1, 59))
    )
    assert 0.2 < forecaster.forecast(again, 7).mean.mean() < 3


def test_too_little_demand_says_so(tmp_path, capsys):
    file = written(tmp_path / "demand.csv", HEAD + "Kollam,O+,2025-01-01,3,1\n")
    arguments = ["train", "demand_forecast", "--from-demand", str(file), "--out", str(tmp_path / "models")]
    assert cli.exit_code(arguments) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert cli.exit_code(["train", "--from-demand", str(file)]) == 2
    assert cli.exit_code(["train", "demand_forecast", "--from-files", str(tmp_path)]) == 2
