"""Where a region answers differently, a recalibrated version's scores follow its recorded outcomes."""

from __future__ import annotations

import io

import joblib
import numpy as np
import pytest

from features.districts import DISTRICTS
from features.recalibration import SHIFT_MAX, shifted, shifts_of
from features.vectors import AVAILABILITY, MATCH, RELIABILITY, RESPONSE_TIME
from producers.simulator import World
from smartblood import cli
from smartblood.errors import Fatal
from smartblood.readable import instant_text
from smartblood.registry.loading import load_content, load_digest, load_version, verify
from smartblood.registry.manifest import read_manifest
from smartblood.registry.scorer import scorer_of
from smartblood.registry.trees import UnreadableTreesError
from smartblood.registry.writing import WRITTEN, artefact_bytes, entry_of, write
from smartblood.settings import MODELS_DIR
from smartblood.training.examples import DISTRICT_CODE
from smartblood.training.judging import log_loss, with_interval
from smartblood.training.recalibrating import Base, recalibrate
from smartblood.training.replaying import of_world
from smartblood.training.shifting import shifts_by_district
from smartblood.training.views import match_view, told
from tests.unit.training.world import DAY_US, END

OTHER = "Malappuram"
HALF_AS_OFTEN = World(  # few alerts a donor: else the models learn it of each by and by
    n_donors=25_000,
    history_days=450,
    alerts_per_donor_year=2.5,
    district_odds=tuple((one.name, 0.3 if one.name == OTHER else 1.0) for one in DISTRICTS),
)


@pytest.fixture(scope="module")
def replayed():
    return of_world(HALF_AS_OFTEN, 7, END)


def base_of(name):
    entry, content = load_content(MODELS_DIR, name, None)
    return Base(entry, content)


def heard_by(base):
    return {name: load_digest(MODELS_DIR, name, one) for name, one in base.entry.training_data.get("hears", {}).items()}


@pytest.fixture(scope="module")
def made(replayed):
    base = base_of(MATCH)
    return recalibrate(base, heard_by(base), replayed, "9.0.0")


def test_the_district_that_says_yes_half_as_often_is_met_and_no_other_is_hurt(replayed, made):
    examples = replayed.examples
    there = examples.district == DISTRICT_CODE[OTHER]
    assert examples.accepted[there].mean() < 0.6 * examples.accepted[~there].mean()
    districts = made.entry.metrics["by_district"]
    before, after = districts[OTHER]["before"], districts[OTHER]["after"]
    assert before[2] < 1
    assert after[1] <= 1 <= after[2]
    assert districts[OTHER]["shift"] < -0.2
    assert made.pays
    # The other districts, all together, on the same later outcomes.
    later = examples.at >= np.quantile(examples.at[examples.at >= END - 300 * DAY_US], 0.7)
    rows = match_view(examples, *heard_by(base_of(MATCH)).values()).rows
    base = load_version(MODELS_DIR, MATCH, None)
    now = scorer_of(joblib.load(io.BytesIO(made.artefact)), sha256="")
    others = np.flatnonzero(later & ~there)
    was, is_now = (told(scorer, rows, examples.district) for scorer in (base, now))
    gave, group = examples.gave[others], examples.request_id[others]
    harm = with_interval(
        lambda places: log_loss(gave[places], is_now[others][places]) - log_loss(gave[places], was[others][places]),
        group,
        seed=1,
    )
    assert harm.lower <= 0
    assert harm.value < 0.0005


def test_the_same_outcomes_twice_give_the_same_bytes_and_the_card_says_what_was_done(replayed, made, tmp_path):
    base = base_of(MATCH)
    again = recalibrate(base, heard_by(base), replayed, "9.0.0")
    assert again == made
    assert write(tmp_path, made.entry, made.artefact, made.card) == WRITTEN
    assert verify(tmp_path)[0].problem is None
    scorer = load_version(tmp_path, MATCH, "9.0.0")
    assert scorer.districts[OTHER] == made.entry.metrics["by_district"][OTHER]["shift"]
    data = made.entry.training_data
    assert data["recalibrates"] == {"version": base.entry.version, "sha256": base.entry.sha256}
    assert data["hears"] == base.entry.training_data["hears"]
    assert made.entry.reference == base.entry.reference != {}
    assert len(data["asked"]) == 2
    assert f"| {OTHER} | " in made.card
    assert base.entry.sha256 in made.card


@pytest.mark.parametrize(
    ("name", "least", "most"),
    # Who says yes half as often keeps promises as ever; and a no is an answer too.
    [(AVAILABILITY, -1.2, -0.3), (RELIABILITY, -0.2, 0.2), (RESPONSE_TIME, -0.3, -0.02)],
)
def test_the_other_models_follow_too(replayed, name, least, most):
    base = base_of(name)
    found = recalibrate(base, {}, replayed, "9.0.0", since=END - 200 * DAY_US)
    assert found.entry.training_data["since"] == instant_text(END - 200 * DAY_US)
    assert least < found.entry.metrics["by_district"][OTHER]["shift"] < most


def test_what_is_recalibrated_again_starts_from_what_was_learned(replayed, made):
    content = joblib.load(io.BytesIO(made.artefact))
    base = base_of(MATCH)
    again = recalibrate(Base(made.entry, content), heard_by(base), replayed, "9.1.0")
    assert joblib.load(io.BytesIO(again.artefact))["districts"] == content["districts"]
    assert not again.pays


def test_few_outcomes_leave_a_district_where_it_is():
    rng = np.random.default_rng(2)
    probability = np.clip(rng.beta(1, 12, 40_000), 0.001, 0.9)
    district = rng.integers(0, 13, probability.size).astype(np.int8)
    few = rng.choice(probability.size, 40, replace=False)
    district[few] = 13
    label = rng.random(probability.size) < np.where(district == 4, 0.5, 1.0) * probability
    label[few] = rng.random(40) < 0.5 * probability[few]
    donors = np.arange(probability.size)
    found = shifts_by_district(probability, label, district, donors)
    assert found.by_code[4] == pytest.approx(np.log(0.5), abs=0.2)
    assert abs(found.by_code[13]) < 0.15
    assert max(abs(shift) for code, shift in found.by_code.items() if code not in {4, 13}) < 0.06
    assert 1 <= found.dispersion < 1.05
    assert shifts_by_district(probability, label, np.full_like(district, -1), donors).by_code == {}


def test_outcomes_of_one_donor_count_for_less_than_as_many_of_different_donors():
    rng = np.random.default_rng(3)
    probability = np.full(6_000, 0.1)
    district = (np.arange(6_000) % 2).astype(np.int8)
    donors = np.arange(6_000) // 20
    label = np.repeat(rng.random(300) < 0.1, 20)
    assert shifts_by_district(probability, label, district, donors).dispersion > 15
    assert shifts_by_district(probability, label, district, np.arange(6_000)).dispersion < 2


def test_a_shift_of_nothing_is_nothing_and_no_order_is_turned_round():
    rng = np.random.default_rng(0)
    p = np.sort(np.concatenate([rng.random(1000), [0.0, 1.0]]))
    assert np.array_equal(shifted(p, np.zeros(p.size)), p)
    moved = shifted(p, np.full(p.size, -0.7))
    assert (np.diff(moved) > 0).all()
    assert (moved[0], moved[-1]) == (0.0, 1.0)
    inner = p[1:-1]
    assert np.log(moved[1:-1] / (1 - moved[1:-1])) == pytest.approx(np.log(inner / (1 - inner)) - 0.7)
    assert shifts_of({}, ["Kollam"]) is None
    assert shifts_of({"Kollam": 0.2}, ["Idukki"]) is None
    assert shifts_of({"Kollam": 0.2}, ["Idukki", "Kollam", "nowhere"]).tolist() == [0.0, 0.2, 0.0]


SENSELESS = [{"Atlantis": 0.1}, {OTHER: float("nan")}, {OTHER: SHIFT_MAX + 1}, {OTHER: "much"}, {OTHER: 1}, [OTHER], 7]


@pytest.mark.parametrize("districts", SENSELESS)
def test_shifts_that_make_no_sense_are_refused(districts, tmp_path):
    _, content = load_content(MODELS_DIR, MATCH, None)
    with pytest.raises(UnreadableTreesError):
        scorer_of({**content, "districts": districts}, sha256="")
    artefact = artefact_bytes({**content, "version": "9.0.0", "districts": districts})
    write(tmp_path, entry_of(MATCH, "9.0.0", artefact, training_data={}, metrics={}), artefact, "")
    with pytest.raises(Fatal, match="holds no model"):
        load_version(tmp_path, MATCH, "9.0.0")


def test_a_recalibrated_version_with_one_byte_changed_is_refused(made, tmp_path):
    write(tmp_path, made.entry, made.artefact, made.card)
    path = tmp_path / read_manifest(tmp_path).entry(MATCH).file
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    with pytest.raises(Fatal, match="has the digest"):
        load_version(tmp_path, MATCH, "9.0.0")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version", "9.0.0"], 2),
        (["--from-topics"], 2),
        (["--version", "9.0.0", "--from-files", ".", "--since", "soon"], 2),
        (["--version", "9.0.0", "--from-files", ".", "--base", "7.7.7"], 3),
    ],
)
def test_what_makes_no_sense_is_said(arguments, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.exit_code(["models", "recalibrate", MATCH, *arguments]) == code
