"""Flags that make no world are wrong usage; those within their limits make one."""

from __future__ import annotations

from dataclasses import fields, replace

import click
import pytest

from producers.simulator import World, simulate
from producers.simulator.shifted import SHIFTED
from smartblood import cli
from smartblood.cli.evaluate import world as command
from smartblood.cli.train import ENDS_AT
from smartblood.training import elsewhere

TINY = {"n_donors": 30, "history_days": 40, "alerts_per_donor_year": 24.0}
NUMBERS = {field.name for field in fields(World) if not isinstance(getattr(SHIFTED, field.name), tuple)}
OTHERS = {
    ("decay_km_least", "max"): {"decay_km_most": 1000.0},
    ("decay_km_most", "min"): {"decay_km_least": 1e-9},
    ("female_share", "max"): {"sex_other_share": 0.0, "sex_unknown_share": 0.0},
    ("sex_other_share", "max"): {"female_share": 0.0, "sex_unknown_share": 0.0},
    ("sex_unknown_share", "max"): {"female_share": 0.0, "sex_other_share": 0.0},
}
"""What belongs to a limit, where two flags depend on each other."""

TYPES = {option.name: option.type for option in command.params}


@pytest.fixture
def made(monkeypatch):
    """The worlds that were made."""
    made = []

    def judge(_scorer, world, _seed, _end, **_):
        made.append(world)
        raise KeyboardInterrupt

    monkeypatch.setattr(elsewhere, "evaluate", judge)
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        ["--female-share", "2"],
        ["--female-share", "nan"],
        ["--keen-rate", "0"],
        ["--rate-concentration", "0"],
        ["--show-up-concentration", "inf"],
        ["--decay-km-least", "0"],
        ["--decay-km-least", "9", "--decay-km-most", "8"],
        ["--female-share", "0.6", "--sex-other-share", "0.3", "--sex-unknown-share", "0.2"],
        ["--leaving-per-year", "0"],
        ["--units-mean", "0.5"],
        ["--units-most", "101"],
        ["--alerts-per-donor-year", "1e300"],
        ["--policy-share", "RANDOM=nan,NEAREST=0.3,RESPONSIVE=0.2"],
        ["--policy-share", "RANDOM=0.5,NEAREST=0.3,RESPONSIVE=0.3"],
        ["--policy-share", "RANDOM=1.5,NEAREST=-0.3,RESPONSIVE=-0.2"],
        ["--component-share", "RED_CELLS=1,WHOLE_BLOOD=1,PLATELETS=1,PLASMA=1"],
        ["--group-percent", ",".join(f"{name}=0" for name, _ in SHIFTED.group_percent)],
        ["--urgency-odds", "1,1,1,inf"],
        ["--urgency-odds", "1,1,1,-1"],
    ],
)
def test_what_makes_no_world_is_wrong_usage_and_says_which_flag(arguments, capsys, made):
    assert cli.exit_code(["evaluate", "world", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err
    assert made == []


def test_shares_are_read_by_name_whatever_their_order(made):
    text = "CRITICAL=0.7,HIGH=0.2,MEDIUM=0.1,LOW=0"
    assert cli.exit_code(["evaluate", "world", "--urgency-share", text]) == 130
    assert made[0].urgency_share == (("LOW", 0.0), ("MEDIUM", 0.1), ("HIGH", 0.2), ("CRITICAL", 0.7))


@pytest.mark.parametrize("name", sorted(NUMBERS - {"n_donors", "history_days"}))
@pytest.mark.parametrize("end", ["min", "max"])
def test_a_world_at_the_limit_of_a_flag_can_be_simulated(name, end):
    limits = TYPES[name]
    assert isinstance(limits, click.FloatRange | click.IntRange)
    value = getattr(limits, end)
    assert value is not None
    if getattr(limits, f"{end}_open"):
        value += 1e-9 if end == "min" else -1e-9
    history = simulate(replace(SHIFTED, **(TINY | {name: value} | OTHERS.get((name, end), {}))), 1, ENDS_AT)
    assert all(event.event for event in history.events(with_requests=True))


@pytest.mark.parametrize("sizes", [{"n_donors": 1, "history_days": 1}, {"n_donors": 1}, {"history_days": 1}])
def test_the_smallest_world_says_nothing_in_one_line(sizes, capsys):
    arguments = [f"--{name.split('_')[-1] if name == 'n_donors' else 'days'}={n}" for name, n in sizes.items()]
    assert cli.exit_code(["evaluate", "world", "--donors", "50", "--days", "50", *arguments]) == 3
    assert "give more --donors or --days" in capsys.readouterr().err


@pytest.mark.parametrize("of", [["uci", "table.csv"], ["world"]])
@pytest.mark.parametrize("out", ["nowhere/found.json", "file.txt/found.json", "x" * 300])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_computed(of, out, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("kept", "utf-8")
    (tmp_path / "table.csv").write_text("no table", "utf-8")
    monkeypatch.setattr(elsewhere, "evaluate", lambda *_, **__: pytest.fail("it was computed"))
    assert cli.exit_code(["evaluate", *of, "--out", out]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "can't be written" in said
    assert "--out" in said


@pytest.mark.usefixtures("made")
def test_looking_whether_a_file_can_be_written_leaves_no_trace(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("kept", "utf-8")
    for out in (old, tmp_path / "new.json"):
        assert cli.exit_code(["evaluate", "world", "--out", str(out)]) == 130
    assert old.read_text("utf-8") == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
