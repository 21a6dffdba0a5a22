"""Versions are released in the middle of load, with kills, and some that were tampered with: nobody goes unanswered."""

from __future__ import annotations

import re
import time

import pytest

from features.vectors import FEATURES
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR
from tests.acceptance.chaos import Load, eventually
from tests.acceptance.in_the_end import READ, wrong_topics
from tests.acceptance.system import get
from tests.acceptance.test_strays import BY_DONOR
from tests.acceptance.versions import OTHER, TAMPERED, artefacts, other_version, tampered_versions
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
    tampered = tampered_versions(models_dir, MODEL)
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
    began_ms = time.time_ns() // 1_000_000
    for number, (version, sha256) in enumerate([("8.0.0", "0" * 64), *tampered.items()], 1):
        refused = {"event_id": f"00000000-0000-4000-8000-{number:012d}", "occurred_at": int(time.time() * 1e6)}
        refused |= {"model": MODEL, "version": version, "sha256": sha256, "role": "CHAMPION", "share": 0.0}
        outsider.send("model-released", f"{MODEL}/{version}", refused).get(timeout=20)
        why = rf"{MODEL} {re.escape(version)} is refused: .*{TAMPERED.get(version, 'has no')}"
        assert eventually(lambda: all(refuses(one, version, why) for one in matchers), within_s=30), why  # noqa: B023
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
    since = [version for version, one in zip(versions, answers, strict=True) if one.timestamp_ms >= began_ms]
    assert len(since) > len(tampered)
    assert set(since) == {OTHER}
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


def refuses(worker, version, why):
    """Whether a worker shows a version of the model as refused, and has said why."""
    _, said = get(f"{worker.metrics}/metrics")
    shown = rf'^smartblood_models_refused\{{.*version="{re.escape(version)}".*\}} 1\.0$'
    return bool(re.search(shown, said, re.MULTILINE) and re.search(why, worker.said))
