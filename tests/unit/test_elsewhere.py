"""The champion in a world that differs: who is asked by which policy, and that the flags make the world."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import fields
from typing import NamedTuple

import numpy as np
import pytest

from features.districts import DISTRICTS
from features.outcomes import SETTLED_US
from features.scoring import Panel
from features.vectors import FEATURES
from producers.simulator import World
from producers.simulator.shifted import SHIFTED
from smartblood import cli
from smartblood.errors import Fatal
from smartblood.registry.loading import load_champion, load_content
from smartblood.registry.scorer import scorer_of
from smartblood.registry.writing import artefact_bytes, entry_of, write
from smartblood.settings import MODELS_DIR
from smartblood.training import elsewhere
from smartblood.training.judging import observed_to_expected
from smartblood.training.policies import Truth
from smartblood.training.recalibrating import Base
from smartblood.training.replaying import of_world
from smartblood.training.verdicts import of_reliability
from tests.unit.training.world import DAY_US, END

SMALL = ["--donors", "700", "--days", "330", "--alerts-per-donor-year", "14"]


class Alerts(NamedTuple):
    """Of examples, what this looks at."""

    gave: np.ndarray
    accepted: np.ndarray
    request_id: np.ndarray
    donor_id: np.ndarray
    preference: np.ndarray


def alerts(n_lists=4, length=6):
    rng, n = np.random.default_rng(3), n_lists * length
    gave = rng.random(n) < 0.4
    return Alerts(
        gave=gave,
        accepted=gave,
        request_id=np.repeat(np.arange(n_lists), length),
        donor_id=np.arange(n),
        preference=rng.integers(0, 2, n).astype(np.int8),
    )


def test_a_policy_asks_a_third_of_each_list_classes_first_then_the_best():
    found, score = alerts(), np.random.default_rng(4).random(24)
    asked = elsewhere._chosen(found, score)
    for request_id in range(4):
        places = np.flatnonzero(found.request_id == request_id)
        expected = sorted(places.tolist(), key=lambda i: (found.preference[i], -score[i], found.donor_id[i]))[:2]
        assert sorted(np.flatnonzero(asked[places]) + places[0]) == sorted(expected)


def test_gain_and_observed_to_expected_are_what_they_say():
    found = alerts()
    ours, theirs = np.arange(24) % 2 == 0, np.arange(24) % 3 == 0
    everywhere = np.arange(24)
    mine, other = found.gave[ours].mean(), found.gave[theirs].mean()
    assert elsewhere._gain(found, ours, theirs)(everywhere) == pytest.approx(mine / other - 1)
    ratios, expected = observed_to_expected(found.gave, np.full(24, 0.5))
    assert expected == [0.5] * 10
    assert len(ratios) == 10
    assert np.mean([ratio * size for ratio, size in zip(ratios, [3] * 4 + [2] * 6, strict=True)]) * 10 == (
        pytest.approx(found.gave.sum() / 0.5, abs=0.01)
    )


def test_the_interval_of_a_calibration_error_holds_it():
    half, label = np.full(400, 0.5), np.tile([True, False], 200)
    of = alerts(n_lists=400, length=1)._replace(gave=label, accepted=label)
    truth = Truth(half, half, half, label, half)
    told = elsewhere._calibration(of, truth, {"match": half, "availability": half}, 1)
    for one in (elsewhere._figures(of, "model", half, 1)["ece"], *(name.ece for name in told.values())):
        assert one.lower == one.value == 0.0 < one.upper


def test_the_command_prints_a_comparison_and_writes_the_same_flat(tmp_path, capsys):
    out = tmp_path / "world.json"
    assert (
        cli.exit_code(["evaluate", "world", *SMALL, "--keen-share", "0.9", "--units-mean", "1", "--out", str(out)]) == 0
    )
    said, flat = capsys.readouterr().out, json.loads(out.read_text("utf-8"))
    for name in ("model", "oracle", "nearest_first", "predecessor"):
        assert f"\n{name}" in said
    assert f"{flat['auc']:.4f}" in said
    assert flat["auc_lower"] <= flat["auc"] <= flat["auc_upper"]
    assert flat["auc_oracle"] > flat["auc"] - 0.05
    assert {f"{of}observed_to_expected_{n}" for of in ("", "availability_") for n in range(1, 11)} <= flat.keys()
    for of in ("", "availability_", "sent_", "sent_availability_"):
        for number in range(1, 11):
            seen, true = (f"{of}{what}_to_expected_{number}" for what in ("observed", "true"))
            assert flat[f"{seen}_lower"] <= flat[seen] <= flat[f"{seen}_upper"]
            assert flat[f"{true}_lower"] <= flat[true] <= flat[f"{true}_upper"]
            assert 0 < flat[f"{of}expected_{number}"] < 1
    assert flat["sent_n"] == flat["sent_availability_n"] > 1_000
    assert flat["sent_ece_lower"] <= flat["sent_ece"] <= flat["sent_ece_upper"]
    assert flat["availability_auc_model"] < flat["availability_auc_oracle_anywhere"] < flat["availability_auc_oracle"]
    assert "lists that the system sends" in said
    assert {"availability_auc_model", "availability_ece_model", "reliability_brier_model_lower"} <= flat.keys()
    assert flat["response_time_n_within_2_h"] > 0
    assert 0 < flat["promise_n_sized"] <= flat["promise_n_requests"]
    assert flat["promise_claimed"] >= 0.9
    assert flat["promise_difference"] == pytest.approx(flat["promise_filled"] - flat["promise_claimed"], abs=2e-6)
    assert "\npromise: " in said
    assert "\navailability: " in said
    assert {"gain_over_nearest_first", "gain_over_predecessor_lower", "gave_per_alert", "brier", "ece"} <= flat.keys()
    assert all(isinstance(value, int | float) for value in flat.values())


def test_of_what_nobody_did_no_figure_is_written_and_numbers_that_are_none_are_null(tmp_path, monkeypatch, capsys):
    def nobody(scorer, alerts, _, seed):
        return of_reliability(scorer, alerts.take(alerts.at < 0), None, seed)

    monkeypatch.setattr(elsewhere, "N_REQUESTS", 100)  # what is looked at here doesn't come of lists that are sent
    monkeypatch.setattr(elsewhere, "of_reliability", nobody)
    monkeypatch.setattr(elsewhere, "of_response_time", lambda *_: {"auc_model_within_2_h": [0.5, math.nan, math.inf]})
    out = tmp_path / "world.json"
    assert cli.exit_code(["evaluate", "world", *SMALL, "--keen-share", "0.9", "--out", str(out)]) == 0
    assert "\nreliability: n 0, n_yes 0\n" in capsys.readouterr().out
    flat = json.loads(out.read_text("utf-8"), parse_constant=pytest.fail)
    assert {name for name in flat if name.startswith("reliability")} == {"reliability_n", "reliability_n_yes"}
    assert flat["response_time_auc_model_within_2_h_upper"] is None


def test_another_version_than_the_default_is_judged_where_it_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(elsewhere, "N_REQUESTS", 100)  # what is looked at here doesn't come of lists that are sent
    folder = shutil.copytree(MODELS_DIR, tmp_path / "models")
    entry, content = load_content(folder, "donor_seeker_match", None)
    districts = {district.name: 2.0 for district in DISTRICTS}
    artefact = artefact_bytes({**content, "version": "9.0.0", "districts": districts})
    made = entry_of(entry.name, "9.0.0", artefact, training_data={}, metrics={})
    write(folder, made, artefact, "")
    found = {}
    for use in ([], ["--use", "donor_seeker_match=9.0.0"]):
        out = tmp_path / "world.json"
        flags = [*SMALL, "--keen-share", "0.5", "--models-dir", str(folder), "--out", str(out)]
        assert cli.exit_code(["evaluate", "world", *flags, *use]) == 0
        assert f"donor_seeker_match {'9.0.0' if use else entry.version}" in capsys.readouterr().out
        found[bool(use)] = json.loads(out.read_text("utf-8"))
    assert found[True]["observed_to_expected_10"] < found[False]["observed_to_expected_10"] / 2
    assert found[True]["gave_per_alert"] == found[False]["gave_per_alert"]  # the order stays
    assert cli.exit_code(["evaluate", "world", "--use", "donor_seeker_match"]) == 2
    assert cli.exit_code(["evaluate", "world", "--use", "demand=1.0.0"]) == 2
    assert cli.exit_code(["evaluate", "world", "--use", "donor_seeker_match=7.7.7"]) == 3


def test_models_follow_the_lists_that_the_system_sent_before_or_what_the_world_knew_before(monkeypatch):
    replayed = of_world(World(n_donors=400, history_days=120, alerts_per_donor_year=14.0, keen_share=0.6), 3, END)
    bases = [Base(*load_content(MODELS_DIR, name, None)) for name in FEATURES]
    calibration = bases[0].content["calibration"]
    claims_too_much = {**bases[0].content, "calibration": {**calibration, "c": calibration["c"] + 1.5}}
    bases[0] = bases[0]._replace(content=claims_too_much)
    panel = Panel(*(scorer_of(base.content, sha256="") for base in bases))
    monkeypatch.setattr(elsewhere, "N_REQUESTS", 500)
    found = elsewhere._recalibrated(elsewhere.Following(elsewhere.LISTS, bases), panel, replayed, END, 3)
    shifts = list(found.match.districts.values())
    assert (found.match.version, len(shifts)) == (f"{bases[0].entry.version}-recalibrated", 14)
    assert -1.5 < np.mean(shifts) < -0.3  # few outcomes a district: not all of it
    assert [one.name for one in found] == list(FEATURES)

    taken, at = [], END - 60 * DAY_US
    monkeypatch.setattr(elsewhere, "recalibrated_panel", lambda _, of, since: taken.append((of.examples, since)))
    elsewhere._recalibrated(elsewhere.Following(elsewhere.HISTORY, bases), panel, replayed, at, 3)
    ((earlier, since),) = taken
    known_at = replayed.examples.required_by + SETTLED_US
    assert 0 < earlier.at.size == np.count_nonzero(known_at <= at) < np.count_nonzero(replayed.examples.at < at)
    assert since is None


def test_a_world_in_which_nobody_can_be_asked_is_said_where_models_would_follow_its_lists(monkeypatch):
    replayed = of_world(World(n_donors=5, history_days=30, uncontactable_share=1.0), 3, END)
    bases = [Base(*load_content(MODELS_DIR, name, None)) for name in FEATURES]
    panel = Panel(*(scorer_of(base.content, sha256="") for base in bases))
    monkeypatch.setattr(elsewhere, "N_REQUESTS", 5)
    with pytest.raises(Fatal, match="nobody can be asked in this world: give more"):
        elsewhere._recalibrated(elsewhere.Following(elsewhere.LISTS, bases), panel, replayed, END, 3)


def test_what_is_to_be_recalibrated_is_a_flag(monkeypatch):
    asked = []

    def judge(*_, following, **__):
        asked.append(following and (following.by, [base.entry.name for base in following.bases]))
        raise KeyboardInterrupt

    monkeypatch.setattr(elsewhere, "evaluate", judge)
    for how in ([], ["--recalibrate", "lists"], ["--recalibrate", "history"]):
        assert cli.exit_code(["evaluate", "world", *how]) == 130
    assert asked == [None, ("lists", list(FEATURES)), ("history", list(FEATURES))]
    assert cli.exit_code(["evaluate", "world", "--recalibrate", "tomorrow"]) == 2


def test_every_parameter_of_the_world_is_a_flag_that_makes_the_world(monkeypatch):
    made = []

    def judge(_scorer, world, _seed, _end, **_):
        made.append(world)
        raise KeyboardInterrupt

    monkeypatch.setattr(elsewhere, "evaluate", judge)
    flags = {"n_donors": "donors", "history_days": "days"}
    given = {}
    arguments = []
    for field in fields(World):
        value = getattr(SHIFTED, field.name)
        if isinstance(value, tuple):
            named = isinstance(value[0], tuple)
            shares = [one[1] for one in value[1:] + value[:1]] if named else []
            names = [one[0] for one in value] if named else []
            value = tuple(zip(names, shares, strict=True)) if named else tuple(one + 0.25 for one in value)
            text = ",".join(f"{one[0]}={one[1]}" if named else str(one) for one in value)
        else:
            value = value + 1 if isinstance(value, int) else value * 0.9
            text = str(value)
        given[field.name] = value
        arguments += [f"--{flags.get(field.name, field.name).replace('_', '-')}", text]
    assert cli.exit_code(["evaluate", "world", *arguments]) == 130
    assert cli.exit_code(["evaluate", "world"]) == 130
    assert made == [World(**given), SHIFTED]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--urgency-odds", "1,2"],
        ["--urgency-odds", "1,2,x,3"],
        ["--policy-share", "RANDOM=1"],
        ["--keen-share", "-1"],
        ["--donors", "0"],
    ],
)
def test_a_parameter_that_makes_no_sense_is_wrong_usage(arguments):
    assert cli.exit_code(["evaluate", "world", *arguments]) == 2


def test_a_world_that_says_nothing_is_said(capsys):
    assert cli.exit_code(["evaluate", "world", "--donors", "50", "--days", "60"]) == 3
    assert "give more --donors or --days" in capsys.readouterr().err


def test_the_shifted_world_differs_from_the_one_that_models_are_trained_in():
    training = World(n_donors=12_000, alerts_per_donor_year=6.0)
    differing = {field.name for field in fields(World) if getattr(SHIFTED, field.name) != getattr(training, field.name)}
    assert {"keen_share", "keen_rate", "other_rate", "decay_km_most", "fatigue_factor"} <= differing
    assert load_champion(MODELS_DIR, "donor_seeker_match").version
