"""What is set from outside reaches the processors, and changes what they answer."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from consumers.donor_state import DonorState, deferrals
from consumers.driver import Driver
from features.reach import ReachRules
from features.series import SeriesTable
from smartblood import beside as beside_a_worker
from smartblood import logs, metrics, models_there, processors
from smartblood.beside import Accompanied
from smartblood.errors import Fatal
from smartblood.performance.judgement import Limits
from smartblood.registry.manifest import FILE, Manifest, read_manifest
from smartblood.registry.writing import entry_of
from smartblood.settings import load
from smartblood.storage.steps import MIGRATIONS, steps
from smartblood.storage.upkeep import KINDS
from tests.unit.donor_state.histories import DAY, DAY_OF_START, DONOR, START, donation, named, response
from tests.unit.matching.world import KOCHI, World, cell_north_of, request, state


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_without_anything_set_the_rules_are_those_of_the_contract():
    assert processors.reach_rules(load()) == ReachRules()


@pytest.mark.parametrize(
    ("variable", "value", "n_near", "changes", "reach_km"),
    [
        ("RINGS_KM", "4, 7", 1, {"units_required": 1}, 7.0),
        ("RING_KM_CRITICAL", "10", 1, {"units_required": 1, "urgency": "CRITICAL"}, 10.0),
        ("WIDE_RINGS_KM", "60,80", 1, {"units_required": 3}, 80.0),
        ("ASKABLE_FACTOR", "1", 10, {"top_k": 10}, 5.0),
        ("TOP_K_OPEN_ENOUGH", "25", 25, {"top_k": None}, 5.0),
    ],
)
def test_how_far_is_a_setting(variable, value, n_near, changes, reach_km, monkeypatch):
    donors = [*(state(n) for n in range(n_near)), state(99, h3_cell=cell_north_of(KOCHI, 90))]
    before = World(*donors).answer(request(**changes))
    monkeypatch.setenv(f"SMARTBLOOD_REACH_{variable}", value)
    answer = World(*donors, reach=processors.reach_rules(load())).answer(request(**changes))
    assert answer["reach_km"] == reach_km != before["reach_km"]


def test_the_matcher_is_given_them():
    settings = load(kafka_bootstrap_servers="127.0.0.1:9", reach_rings_km="2,3", reach_ring_km_critical=2)
    watched = processors.matching(settings, "a")
    assert watched.worker._processor._rules == ReachRules(rings_km=(2.0, 3.0), ring_km_critical=2.0)


@pytest.mark.parametrize(("late_days", "n_alerts"), [(None, 1), (9, 0)])
def test_how_late_an_event_counts_in_rates_is_a_setting(late_days, n_alerts):
    watched = processors.donor_state(load(kafka_bootstrap_servers="127.0.0.1:9", late_days=late_days), "a")
    processor = watched.worker._processor
    assert isinstance(processor, DonorState)
    driver = Driver([processor])
    for one in (donation(START, 1), response(START - 10 * DAY, 2, "NOTIFIED")):
        driver.send(one.topic, str(DONOR), one.event)
    driver.run()
    assert driver.events("donor-states")[-1]["n_alerts"] == n_alerts


def test_what_a_donor_has_too_much_of_is_counted(monkeypatch):
    watched = processors.donor_state(load(kafka_bootstrap_servers="127.0.0.1:9"), "a")

    def counted():
        watched.look()
        whats = ("requests", "outcomes", "statements")
        return [metrics.FACTS_DROPPED.labels("donor-state", what)._value.get() for what in whats]

    monkeypatch.setattr(deferrals, "N_STATEMENTS_MAX", 1_000)
    before = counted()
    driver = Driver([watched.worker._processor])
    for n in range(1_003):
        deferral = named("item 60", DAY_OF_START + 2_000 - n)
        for one in (
            response(START + n, 2 * n, "ACCEPTED", request_id=n + 1),
            donation(START + n, 2 * n + 1, deferral=deferral),
        ):
            driver.send(one.topic, str(DONOR), one.event)
    driver.run(batch_size=1_000)
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [3, 3, 3]


def test_how_fast_what_a_donor_did_fades_is_a_setting(monkeypatch):
    monkeypatch.setenv("SMARTBLOOD_RATE_HALF_LIFE_DAYS", "10")
    monkeypatch.setenv("SMARTBLOOD_FATIGUE_HALF_LIFE_DAYS", "5")
    watched = processors.donor_state(load(kafka_bootstrap_servers="127.0.0.1:9"), "a")
    driver = Driver([watched.worker._processor])
    for one in (response(START, 1, "NOTIFIED"), donation(START + 10 * DAY, 2)):
        driver.send(one.topic, str(DONOR), one.event)
    driver.run()
    state = driver.events("donor-states")[-1]
    assert (state["alerts_decayed"], state["unanswered_decayed"]) == (0.5, 0.25)


def test_requests_of_unknown_districts_are_counted_and_logged_with_their_ids():
    out = io.StringIO()
    logs.configure("json", stream=out)
    watched = processors.matching(load(kafka_bootstrap_servers="127.0.0.1:9"), "a")

    def counted():
        watched.look()
        return metrics.IN_NO_DISTRICT.labels("matching")._value.get()

    before = counted()
    driver = Driver([watched.worker._processor])
    for n in range(1, 13):
        driver.send("blood-request-created", str(n), request(n, district="Atlantis" * 99))
    driver.run(batch_size=12)
    assert (counted() - before, counted() - before) == (12, 12)
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["request_id"] for line in said if "request_id" in line] == [*range(1, 11)]
    assert {line["district"] for line in said[:10]} == {"Atlantis" * 10}
    assert said[-1]["n_requests"] == 2


def test_a_worker_that_has_ended_is_looked_at_once_more():
    told = []

    class Worker:
        def run(self, stop):
            told.append("worked")

    beside_a_worker.Watched(Worker(), lambda: told.append("looked")).run(threading.Event())
    assert told == ["worked", "looked"]


ENTRY = entry_of("donor_seeker_match", "1.0.0", b"trees", training_data={"ends_at": 7}, metrics={})


@pytest.mark.parametrize(
    ("wrong", "there"),
    [
        ({}, {"donor_seeker_match": ["1.0.0", "1.1.0"]}),
        ({"file": "gone.joblib"}, {"donor_seeker_match": ["1.0.0"]}),
        ({"sha256": "0" * 64}, {"donor_seeker_match": ["1.0.0"]}),
        ({"features": ENTRY.features[::-1]}, {"donor_seeker_match": ["1.0.0"]}),
        ({"libraries": ENTRY.libraries | {"lightgbm": "0.1"}}, {"donor_seeker_match": ["1.0.0"]}),
        ({"name": "crystal_ball"}, {"donor_seeker_match": ["1.0.0"], "crystal_ball": []}),
    ],
)
def test_a_version_that_whoever_scores_refuses_is_not_told_of(wrong, there, tmp_path):
    other = replace(ENTRY, version="1.1.0", **wrong)
    (tmp_path / ENTRY.file).parent.mkdir(parents=True)
    (tmp_path / ENTRY.file).write_bytes(b"trees")
    (tmp_path / FILE).write_text(Manifest({other.name: "1.1.0"}, (ENTRY, other)).as_text(), "utf-8")
    found = models_there.artefacts_there(load(models_dir=tmp_path))
    assert {model: [one.version for one in listed] for model, listed in found.items()} == there


def test_telling_what_artefacts_there_are_loads_nothing_that_evaluates_them():
    program = (
        "import sys\nfrom smartblood.models_there import artefacts_there\nfrom smartblood.settings import Settings\n"
        "assert artefacts_there(Settings())\n"
        "sys.exit(','.join(m for m in ('numba', 'scipy', 'sklearn', 'lightgbm', 'joblib') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_a_recorder_loads_nothing_that_only_migrations_need():
    program = (
        "import sys\nimport smartblood.storage.recorder\n"
        "sys.exit(','.join(m for m in ('alembic', 'mako', 'numba', 'scipy', 'matplotlib') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_the_steps_of_the_tables_are_those_that_alembic_sees():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    seen = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert seen[::-1] == steps()
    assert len(seen) >= 4


def test_how_models_are_judged_is_set(monkeypatch):
    for name, value in {"PSI_MAX": "0.4", "OFF_MAX": "0.2", "ECE_MAX": "0.1", "REQUESTS_MIN": "50"}.items():
        monkeypatch.setenv(f"SMARTBLOOD_PERFORMANCE_{name}", value)
    monkeypatch.setenv("SMARTBLOOD_PERFORMANCE_WINDOW_DAYS", "7")
    monkeypatch.setenv("SMARTBLOOD_PERFORMANCE_ALERTS_MAX", "500")
    judging = processors.judging(load(database_url="postgresql://127.0.0.1:9/nowhere"))
    assert judging.limits == Limits(50, 0.4, 0.2, 0.1)
    assert (judging.window_days, judging.alerts_max) == (7, 500)
    with pytest.raises(Fatal, match="SMARTBLOOD_DATABASE_URL"):
        processors.judging(load())


def test_a_version_without_a_reference_or_with_a_wrong_one_leaves_the_others_theirs(tmp_path):
    entries = []
    for n, reference in enumerate(({}, {"a": {}}, {"a": {"edges": [1], "shares": [0.5, 0.5, 0]}})):
        entry = entry_of("donor_reliability", str(n), b"x", training_data={}, metrics={})
        entries.append(replace(entry, reference=reference))
    (tmp_path / FILE).write_text(Manifest({}, tuple(entries)).as_text())
    found = models_there.references_there(load(models_dir=tmp_path))
    assert found[("donor_reliability", "0")] == {}
    assert ("donor_reliability", "1") not in found
    assert found[("donor_reliability", "2")]["a"].edges == (1.0,)
    assert models_there.references_there(load(models_dir=tmp_path / "nowhere")) == {}


def test_a_recorder_that_is_behind_says_so():
    worker = processors.recording(
        load(kafka_bootstrap_servers="127.0.0.1:9", database_url="postgresql://127.0.0.1:9/nowhere"), "a"
    )
    recorder = worker.worker
    assert not recorder.is_behind
    recorder._gauges.lags |= {("matches", 0): 600, ("donor-responded", 1): 600}
    assert recorder.is_behind


def test_what_accompanies_a_worker_ends_with_it_and_does_not_hold_it_up(monkeypatch):
    monkeypatch.setattr(beside_a_worker, "LEFT_AFTER_S", 0.2)
    seen, stop = [], threading.Event()

    class Worker:
        def run(self, stop):
            seen.append("worked")

    def beside(done):
        done.wait(5)
        seen.append("done")

    Accompanied(Worker(), beside).run(stop)
    assert seen == ["worked", "done"]
    hanging = threading.Event()
    Accompanied(Worker(), lambda _: hanging.wait(5)).run(stop)
    hanging.set()


def test_forecasting_knows_its_version_at_once_and_reads_the_model_when_it_is_needed():
    program = (
        "import sys\nfrom smartblood import processors\nfrom smartblood.settings import load\n"
        "watched = processors.forecasting(load(kafka_bootstrap_servers='127.0.0.1:9',"
        " database_url='postgresql://127.0.0.1:9/nowhere'), 'a')\n"
        "champion = watched.worker._processor.champion.forecaster\n"
        "print(champion.name, champion.version, champion.sha256)\n"
        "sys.exit(','.join(m for m in ('numba', 'scipy', 'lightgbm', 'joblib') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    entry = read_manifest(load().models_dir).entry("demand_forecast")
    assert done.stdout.split() == [entry.name, entry.version, entry.sha256]


def test_a_forecaster_whose_file_is_another_is_refused_before_anything_is_read(tmp_path):
    entry = entry_of("demand_forecast", "1.0.0", b"trees", training_data={}, metrics={})
    (tmp_path / entry.file).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(Manifest({entry.name: "1.0.0"}, (entry,)).as_text(), "utf-8")
    (tmp_path / entry.file).write_bytes(b"others")
    with pytest.raises(Fatal, match="digest"):
        processors.default_forecaster(load(models_dir=tmp_path))
    with pytest.raises(Fatal, match="SMARTBLOOD_DATABASE_URL"):
        processors.forecasting(load(kafka_bootstrap_servers="127.0.0.1:9"), "a")


def test_what_becomes_of_the_forecasters_file_before_the_first_trigger_stops_nobody(tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(load().models_dir, folder)
    forecaster = processors.default_forecaster(load(models_dir=folder))
    path = folder / read_manifest(folder).entry("demand_forecast").file
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    (folder / FILE).write_text("{}", "utf-8")
    days = np.arange("2026-01-01", "2026-03-01", dtype="datetime64[D]")
    history = SeriesTable((("Kollam", "O_POS"),), days, np.full((1, len(days)), 3.0))
    assert np.isfinite(forecaster.forecast(history, 3).mean).all()


def test_how_long_is_kept_is_set():
    found = processors.kept_days(load(keep_matches_days=200, keep_logs_days=30))
    assert (found["matches"], found["outcomes"], found["logs"]) == (200, 200, 30)
    assert set(found) == set(KINDS)
