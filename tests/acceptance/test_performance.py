"""Champion, challenger and shadows on the real broker: what the table says is what the test works out by itself."""

from __future__ import annotations

import io
import json
import shutil

import joblib
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from smartblood.registry.manifest import read_manifest
from smartblood.registry.writing import WRITTEN, artefact_bytes, entry_of, write
from smartblood.settings import MODELS_DIR
from tests.acceptance.chaos import eventually
from tests.acceptance.system import get
from tests.acceptance.wire import plain
from tests.acceptance.world import DAY, donation, now_us, registration, request, response
from tests.oracle import worlds

pytestmark = pytest.mark.broker

MATCH, TIMES = "donor_seeker_match", "donor_response_time"
FIRST, CHALLENGER, SHADOW = read_manifest(MODELS_DIR).entry(MATCH).version, "9.0.0", "8.0.0"
HOUR = DAY // 24
N_DONORS, N_REQUESTS, N_ASKED = 60, 40, 7
TABLE = """SELECT model_name, version, role, outcome,
    n_alerts, n_yes, n_unsettled, observed_to_expected, log_loss, brier, auc
FROM model_performance WHERE as_of = (SELECT max(as_of) FROM model_performance) ORDER BY 1, 2, 3, 4"""


def less_sure(calibration, by):
    """A calibration by which everything is less probable."""
    if calibration["kind"] == "beta":
        return calibration | {"c": calibration["c"] - by}
    return calibration | {"probability": [one * np.exp(-by) for one in calibration["probability"]]}


@pytest.fixture
def models_dir(tmp_path):
    folder = shutil.copytree(MODELS_DIR, tmp_path / "models")
    for model, version, by in ((MATCH, CHALLENGER, 0.7), (MATCH, SHADOW, 1.4), (TIMES, SHADOW, 0.5)):
        first = read_manifest(folder).entry(model)
        content = joblib.load(io.BytesIO((folder / first.file).read_bytes()))
        artefact = artefact_bytes({**content, "version": version, "calibration": less_sure(content["calibration"], by)})
        assert write(folder, entry_of(model, version, artefact, training_data={}, metrics={}), artefact, "") == WRITTEN
    return folder


@pytest.fixture
def published(make_system, models_dir):
    system = make_system(
        SMARTBLOOD_MODELS_DIR=str(models_dir),
        SMARTBLOOD_PERFORMANCE_EACH_S="1",
        SMARTBLOOD_PERFORMANCE_REQUESTS_MIN="10",
    )
    outsider = system.outsider()
    yield system, outsider, models_dir
    outsider.close()


def test_each_version_is_judged_by_what_came_of_whom_it_spoke_of(published):
    system, outsider, models_dir = published
    system.run_all("a")
    rng, now = worlds.generator(91), now_us()
    released(outsider, rng, models_dir, now)
    answers = ask(outsider, rng, now)
    told, asked = outcomes(rng, answers)
    for topic, donor_id, event in told:
        outsider.send(topic, donor_id, event)
    outsider.flush()
    expected = worked_out(asked)
    assert {key[2] for key in expected if key[0] == MATCH} == {"champion", "challenger", "shadow"}

    def shown():
        return {tuple(row[:4]): row[4:] for row in system.tables().query(TABLE)}

    n_all = len(asked)
    assert eventually(lambda: shown().get((MATCH, SHADOW, "shadow", "gave"), [0])[0] == n_all, within_s=90), shown()
    check(shown(), expected)

    before = shown()
    system.workers[-1].kill()  # recording
    for topic, donor_id, event in told[::3]:
        outsider.send(topic, donor_id, event)
    outsider.flush()
    again = system.run("recording", "b")
    system.await_ready(again)
    outsider.await_group("recording", "donor-responded", "donation-recorded")
    assert eventually(lambda: f'role="shadow",version="{SHADOW}"' in metrics_of(again), within_s=30)
    assert shown() == before

    said = system.command("models", "performance", "--out", "performance.json", "--requests-min", "10").stdout
    for version in (FIRST, CHALLENGER, SHADOW):
        assert version in said
    found = json.loads((system.folder / "performance.json").read_text())
    for one in found["performances"]:
        row = before[one["model"], one["version"], one["role"], one["outcome"]]
        assert (one["n_alerts"], one["n_yes"]) == row[:2]
        assert one["brier"] == pytest.approx(row[5])
    lines = metrics_of(again)
    brier = expected[MATCH, CHALLENGER, "challenger", "gave"][1]
    (line,) = (
        line
        for line in lines.splitlines()
        if line.startswith("smartblood_model_brier{") and f'version="{CHALLENGER}"' in line
    )
    assert float(line.split()[-1]) == pytest.approx(brier_score_loss(*brier))
    assert {one["version"] for one in found["drifts"]} == {FIRST}  # the others don't say what they were judged on
    drifted = {one["feature"] for one in found["drifts"] if one["alarm"]}
    assert {"urgency_level", "alerts_seen"} <= drifted  # all are HIGH, and nobody had ever been asked
    system.stop()


def metrics_of(worker):
    return get(f"{worker.metrics}/metrics")[1]


def released(outsider, rng, models_dir, now):
    manifest = read_manifest(models_dir)
    for model, version, role, share in (
        (MATCH, CHALLENGER, "CHALLENGER", 0.5),
        (MATCH, SHADOW, "SHADOW", 0.0),
        (TIMES, SHADOW, "SHADOW", 0.0),
    ):
        event = {
            "event_id": worlds.event_id(rng),
            "occurred_at": now - 40 * DAY,
            "model": model,
            "version": version,
            "sha256": manifest.entry(model, version).sha256,
            "role": role,
            "share": share,
        }
        outsider.send("model-released", f"{model}/{version}", event).get(timeout=20)


def ask(outsider, rng, now):
    """Answers to requests of some weeks ago, whose donors are all registered."""
    states, reader = outsider.reader("donor-states"), outsider.reader("matches")
    for n in range(1, N_DONORS + 1):
        profile = registration(rng, n, at=now - 100 * DAY, blood_group="O_POS", sex="MALE")
        profile |= {"last_whole_blood_at": now - (150 + n) * DAY, "born_on": 7_000 + 40 * n}
        outsider.send("donor-registered", n, profile)
    outsider.flush()
    states.until(lambda: len(states.seen["donor-states"]) >= N_DONORS, within_s=60, what="the donors' states")
    for n in range(1, N_REQUESTS + 1):
        event = request(rng, n, at=now - 20 * DAY + n * HOUR, blood_group="O_POS", required_by=now - 17 * DAY)
        outsider.send("blood-request-created", n, event)
    outsider.flush()
    reader.until(lambda: len(reader.seen["matches"]) >= N_REQUESTS, within_s=60, what="all answers")
    return [plain(one.event) for one in reader.seen["matches"]]


def outcomes(rng, answers):
    """What came of asking some of each list: as records, and for each who was asked whether they gave."""
    told, asked = [], []
    for answer in answers:
        request_id, at = answer["request_id"], answer["occurred_at"] + 60_000_000
        for offer in answer["matches"][:N_ASKED]:
            donor_id = offer["donor_id"]
            gave, hours = bool(rng.random() < 0.4), float(rng.exponential(2.0))
            asked.append((answer, offer, gave, hours if gave else None))
            told.append(("donor-responded", donor_id, response(rng, donor_id, at, request_id, "NOTIFIED")))
            if gave:
                answered_at = at + int(hours * HOUR)
                told.append(("donor-responded", donor_id, response(rng, donor_id, answered_at, request_id, "ACCEPTED")))
                given = donation(rng, donor_id, at + 40 * HOUR, request_id=request_id)
                told.append(("donation-recorded", donor_id, given))
        for offer in answer["matches"][N_ASKED:]:  # nobody was asked, so nothing is known of them
            given = donation(rng, offer["donor_id"], at + 40 * HOUR, request_id=request_id, outcome="NO_SHOW")
            told.append(("donation-recorded", offer["donor_id"], given))
    end = max(answer["required_by"] for answer in answers) + 7 * HOUR
    told.append(("donation-recorded", 1, donation(rng, 1, end)))
    told.append(("donor-responded", 1, response(rng, 1, end, 1, "OPENED")))
    order = rng.permutation(len(told))
    return [told[place] for place in order], asked


def worked_out(asked):
    """By model, version, role and outcome: how many are known, and of them what came and what was said."""
    found = {}

    def note(key, label, score):
        labels, scores = found.setdefault(key, (None, ([], [])))[1]
        labels.append(label)
        scores.append(score)

    for answer, offer, gave, hours in asked:
        version = next(one["version"] for one in answer["models"] if one["model"] == MATCH)
        role = "challenger" if version == CHALLENGER else "champion"
        note((MATCH, version, role, "gave"), gave, offer["match_score"])
        for shadow in offer["shadow_scores"]:
            if shadow["model"] == MATCH:
                note((MATCH, shadow["version"], "shadow", "gave"), gave, shadow["score"])
        note(("donor_availability", FIRST, "champion", "accepted"), gave, offer["availability_score"])
        times = {("champion", FIRST): offer["answers_within"]}
        times |= {
            ("shadow", shadow["version"]): shadow["answers_within"]
            for shadow in offer["shadow_scores"]
            if shadow["model"] == TIMES
        }
        for (role_of_times, version_of_times), within in times.items():
            for limit, chance in zip((0.5, 2, 24), within, strict=True):
                outcome = f"answered within {limit:g} h"
                note((TIMES, version_of_times, role_of_times, outcome), hours is not None and hours <= limit, chance)
    return found


def check(shown, expected):
    for key, (_, (label, score)) in expected.items():
        n_alerts, n_yes, n_unsettled, ratio, loss, brier, auc = shown[key]
        assert (n_alerts, n_yes, n_unsettled) == (len(label), sum(label), 0), key
        assert ratio == pytest.approx(sum(label) / sum(score)), key
        assert loss == pytest.approx(log_loss(label, score, labels=[False, True])), key
        assert brier == pytest.approx(brier_score_loss(label, score)), key
        if 0 < sum(label) < len(label):
            assert auc == pytest.approx(roc_auc_score(label, score)), key
    kept = shown["donor_reliability", FIRST, "champion", "kept"]
    n_gave = sum(expected["donor_availability", FIRST, "champion", "accepted"][1][0])
    assert kept[:2] == (n_gave, n_gave)
