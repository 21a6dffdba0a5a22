"""A version of the model is released in the middle of load, with kills: nobody goes without an answer."""

from __future__ import annotations

import time

import pytest

from features.vectors import FEATURES
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from tests.acceptance.chaos import Load, eventually
from tests.acceptance.in_the_end import READ, wrong_topics
from tests.acceptance.system import get
from tests.acceptance.test_strays import BY_DONOR
from tests.acceptance.versions import OTHER, artefacts, other_version
from tests.acceptance.wire import plain

pytestmark = pytest.mark.broker

MODEL = "donor_seeker_match"
FIRST = read_manifest(MODELS_DIR).entry(MODEL).version


@pytest.fixture
def models_dir(tmp_path):
    """The artefacts, and another version beside them: it scores as the first does, so that the oracle knows both."""
    folder = artefacts(tmp_path)
    other_version(folder, MODEL)
    assert read_manifest(folder).entry(MODEL).version == FIRST
    return folder


def test_a_release_amid_load_and_kills_leaves_no_request_without_its_answer(make_system, models_dir):
    system = make_system(SMARTBLOOD_MODELS_DIR=str(models_dir))
    outsider, publisher = system.outsider(), system.outsider()
    system.run_all(names=("donor-state", "recording"))
    matchers = [system.run("matching", slot) for slot in "ab"]
    system.await_ready(*matchers)
    load = Load(publisher, 6, n_donors=100, rate=40)
    load.publish_donors()
    load.start()
    time.sleep(2)
    system.command("models", "release", MODEL, OTHER, "--role", "champion")
    matchers[0].kill()
    matchers[0] = system.run("matching", "a")
    time.sleep(2)
    system.await_ready(*matchers)
    nonsense = {"event_id": "00000000-0000-4000-8000-000000000001", "occurred_at": int(time.time() * 1e6)}
    nonsense |= {"model": MODEL, "version": "8.0.0", "sha256": "0" * 64, "role": "CHAMPION", "share": 0.0}
    outsider.send("model-released", f"{MODEL}/8.0.0", nonsense).get(timeout=20)
    assert eventually(lambda: all(metric_of(one, "smartblood_models_refused") for one in matchers), within_s=30)
    time.sleep(1)
    load.stop()
    for _ in range(2):  # what was sent on is waited for too
        outsider.await_group("donor-state", *BY_DONOR, within_s=90)
        outsider.await_group("matching", "blood-request-created", within_s=90)
    reader = outsider.reader(*READ)
    reader.to_the_end()
    assert wrong_topics(outsider, reader.seen) == []
    answers = sorted(reader.seen["matches"], key=lambda one: (one.timestamp_ms, one.partition, one.offset))
    versions = [version_of(plain(one.event)["models"]) for one in answers]
    assert (versions[0], versions[-1], set(versions)) == (FIRST, OTHER, {FIRST, OTHER})
    shown = f"SELECT version FROM model_artifacts WHERE is_active AND model_name = '{MODEL}'"
    system.tables().until(shown, lambda version: version == OTHER, within_s=30)
    system.command("models", "release", MODEL, OTHER, "--role", "retired")
    system.tables().until(shown, lambda version: version == FIRST, within_s=30)
    system.stop()
    outsider.close()
    publisher.close()


def version_of(models):
    """The version that matched; every other model is named too."""
    assert sorted(one["model"] for one in models) == sorted(FEATURES)
    return next(one["version"] for one in models if one["model"] == MODEL)


def metric_of(worker, name):
    """Whether a worker shows a metric of this name that isn't 0."""
    _, said = get(f"{worker.metrics}/metrics")
    return any(line.startswith(f"{name}{{") and float(line.split()[-1]) > 0 for line in said.splitlines())
