from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import shutil
import zlib

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.scoring import ModelRefusedError
from features.vectors import MATCH_FEATURES
from smartblood.errors import Fatal
from smartblood.registry.loading import Finding, load_champion, load_released, load_version, verify
from smartblood.registry.manifest import read_manifest
from smartblood.registry.scorer import Calibration, scorer_of
from smartblood.registry.trees import UnreadableTreesError
from smartblood.registry.writing import (
    DEFAULT_NOW,
    MENDED,
    THERE,
    WRITTEN,
    artefact_bytes,
    content_of,
    entry_of,
    write,
)
from tests.unit.boosters import N_FEATURES, booster_of, rows_of

NAME = "donor_seeker_match"
PLAIN = {"kind": "beta", "a": 1.0, "b": 1.0, "c": 0.0}
BETA = {"kind": "beta", "a": 1.1, "b": 0.9, "c": -0.1}


@pytest.fixture(scope="module")
def text():
    return booster_of().model_to_string()


@pytest.fixture(scope="module")
def written(tmp_path_factory, text):
    models_dir = tmp_path_factory.mktemp("models")
    for version, seed in (("1.0.0", 0), ("1.1.0", 1)):
        trees = text if seed == 0 else booster_of(seed=1).model_to_string()
        artefact = artefact_bytes(content_of(NAME, version, trees, BETA))
        entry = entry_of(NAME, version, artefact, training_data={"rows": 4000}, metrics={})
        write(models_dir, entry, artefact, "# It", as_default=True)
    return models_dir


@pytest.fixture
def models_dir(written, tmp_path):
    return shutil.copytree(written, tmp_path / "models")


def change_manifest(models_dir, change):
    path = models_dir / "model_map.json"
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), "utf-8")


def refusal(models_dir, version="1.0.0"):
    with pytest.raises(Fatal) as refused:
        load_version(models_dir, NAME, version)
    text = str(refused.value)
    assert "\n" not in text
    with pytest.raises(ModelRefusedError) as released:
        load_released(models_dir, NAME, version, stated_digest(models_dir, version))
    assert str(released.value) in text
    return text


def stated_digest(models_dir, version):
    try:
        return read_manifest(models_dir).entry(NAME, version).sha256
    except Fatal:
        return "0" * 64


def test_the_default_version_is_loaded_and_says_what_it_is(models_dir):
    scorer = load_champion(models_dir, NAME)
    assert (scorer.name, scorer.version, scorer.features) == (NAME, "1.1.0", MATCH_FEATURES)
    assert scorer.sha256 == hashlib.sha256((models_dir / NAME / "1.1.0/model.joblib").read_bytes()).hexdigest()
    assert load_version(models_dir, NAME, "1.0.0").version == "1.0.0"
    assert verify(models_dir) == [Finding(f"{NAME} 1.0.0", None), Finding(f"{NAME} 1.1.0", None)]


def test_what_was_released_is_loaded_where_its_digest_is_the_one_that_was_released(models_dir):
    digest = stated_digest(models_dir, "1.0.0")
    assert load_released(models_dir, NAME, "1.0.0", digest.upper()).version == "1.0.0"
    for other in (stated_digest(models_dir, "1.1.0"), "", "no digest"):
        with pytest.raises(ModelRefusedError, match="was released"):
            load_released(models_dir, NAME, "1.0.0", other)


def test_the_manifests_own_digest_can_be_pinned(models_dir):
    path = models_dir / "model_map.json"
    pinned = hashlib.sha256(path.read_bytes()).hexdigest()
    digest = stated_digest(models_dir, "1.0.0")
    assert load_champion(models_dir, NAME, pinned=pinned.upper()).version == "1.1.0"
    assert load_released(models_dir, NAME, "1.0.0", digest, pinned=pinned).version == "1.0.0"
    path.write_bytes(path.read_bytes() + b"\n")
    for refused in (
        lambda: load_champion(models_dir, NAME, pinned=pinned),
        lambda: verify(models_dir, pinned=pinned),
    ):
        with pytest.raises(Fatal, match="SMARTBLOOD_MODELS_MAP_SHA256"):
            refused()
    with pytest.raises(ModelRefusedError, match="SMARTBLOOD_MODELS_MAP_SHA256"):
        load_released(models_dir, NAME, "1.0.0", digest, pinned=pinned)


def test_a_version_whose_scores_are_no_probabilities_is_refused(models_dir, text):
    endless = re.sub(r"(?<=\nleaf_value=).*", lambda found: " ".join("1e308" for _ in found[0].split()), text)
    content = content_of(NAME, "5.0.0", endless, {**BETA, "b": 0.0})  # 0 times infinity
    artefact = artefact_bytes(content)
    write(models_dir, entry_of(NAME, "5.0.0", artefact, training_data={}, metrics={}), artefact, "")
    assert "holds no model: it gives scores that are no probabilities" in refusal(models_dir, "5.0.0")


def test_a_version_that_starts_from_what_is_always_known_needs_no_score_without_it(models_dir, text):
    artefact = artefact_bytes(content_of(NAME, "6.0.0", text, BETA, "donor_availability"))
    write(models_dir, entry_of(NAME, "6.0.0", artefact, training_data={}, metrics={}), artefact, "")
    assert load_version(models_dir, NAME, "6.0.0").version == "6.0.0"


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_each_row_is_scored_by_itself(written, seed, n):
    scorer = load_champion(written, NAME)
    rows = rows_of(n, seed)
    together = scorer.predict(rows)
    assert ((together > 0) & (together < 1)).all()
    assert np.array_equal(together, [scorer.predict(row[np.newaxis])[0] for row in rows])
    order = np.random.default_rng(seed).permutation(n)
    assert np.array_equal(scorer.predict(rows[order]), together[order])
    assert np.array_equal(scorer.predict(np.asfortranarray(rows)), together)


def test_one_byte_flipped_is_refused(models_dir):
    path = models_dir / NAME / "1.0.0/model.joblib"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "has the digest" in refusal(models_dir)
    assert [finding.what for finding in verify(models_dir) if finding.problem] == [f"{NAME} 1.0.0"]


def test_a_refused_file_is_never_deserialised(models_dir, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "went-off"), "w"))

    (models_dir / NAME / "1.0.0/model.joblib").write_bytes(pickle.dumps(Bomb()))
    assert "has the digest" in refusal(models_dir)
    assert not (tmp_path / "went-off").exists()


def test_swapped_files_are_refused(models_dir):
    one, other = models_dir / NAME / "1.0.0/model.joblib", models_dir / NAME / "1.1.0/model.joblib"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert "has the digest" in refusal(models_dir)
    assert "has the digest" in refusal(models_dir, "1.1.0")

    def swap_digests_too(data):
        digests = [entry["sha256"] for entry in data["models"]]
        for entry, digest in zip(data["models"], reversed(digests), strict=True):
            entry["sha256"] = digest

    change_manifest(models_dir, swap_digests_too)
    assert f"holds {NAME} 1.1.0" in refusal(models_dir)


@pytest.mark.parametrize("library", ["lightgbm", "scikit-learn", "numpy"])
def test_another_library_version_is_refused(models_dir, library):
    change_manifest(models_dir, lambda data: data["models"][0]["libraries"].update({library: "0.1"}))
    assert f"made with {library} 0.1" in refusal(models_dir)
    change_manifest(models_dir, lambda data: data["models"][0]["libraries"].pop(library))
    assert f"made with {library} None" in refusal(models_dir)


def test_other_features_are_refused(models_dir):
    extra = {"name": "phase_of_the_moon", "type": "double", "unit": "degrees"}
    change_manifest(models_dir, lambda data: data["models"][0]["features"].append(extra))
    assert f"{N_FEATURES + 1} there, {N_FEATURES} here" in refusal(models_dir)
    change_manifest(models_dir, lambda data: data["models"][0]["features"].pop())

    def swap(data):
        listed = data["models"][0]["features"]
        listed[1], listed[2] = listed[2], listed[1]

    change_manifest(models_dir, swap)
    assert "number 2 is 'donor_availability" in refusal(models_dir)


def test_features_of_the_artefact_itself_are_looked_at_too(models_dir, text):
    foreign = text.replace("distance_km", "distance_miles")
    artefact = artefact_bytes(content_of(NAME, "2.0.0", foreign, BETA))
    write(models_dir, entry_of(NAME, "2.0.0", artefact, training_data={}, metrics={}), artefact, "")
    assert "distance_miles" in refusal(models_dir, "2.0.0")


def test_a_missing_file_a_missing_version_and_a_missing_folder_are_said(models_dir, tmp_path):
    (models_dir / NAME / "1.0.0/model.joblib").unlink()
    assert "No such file" in refusal(models_dir)
    assert "has no donor_seeker_match 9.9.9" in refusal(models_dir, "9.9.9")
    assert "isn't there" in refusal(tmp_path / "nowhere")
    with pytest.raises(Fatal, match="no default version of donor_availability"):
        load_champion(models_dir, "donor_availability")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "models": []}', '{"format": 1, "models": [1]}', "\0"])
def test_what_is_no_manifest_is_said(tmp_path, text):
    (tmp_path / "model_map.json").write_text(text, "utf-8")
    with pytest.raises(Fatal, match=r"model_map\.json is no"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("file", ["../outside.joblib", "/etc/passwd"])
def test_a_manifest_points_nowhere_outside(models_dir, file):
    change_manifest(models_dir, lambda data: data["models"][0].update(file=file))
    assert "lies outside" in refusal(models_dir)


NO_VERSIONS = ["", " ", "a/b", "../x", "..", "/tmp/abs", "2.3.0\n", "-1", "1.0 0", "é", "1" * 65, "1\x7f"]


@pytest.mark.parametrize("version", NO_VERSIONS)
def test_what_is_no_version_is_neither_written_nor_read(models_dir, text, version):
    before = sorted(models_dir.parent.rglob("*"))
    artefact = artefact_bytes(content_of(NAME, version, text, BETA))
    with pytest.raises(Fatal, match="is no version"):
        write(models_dir, entry_of(NAME, version, artefact, training_data={}, metrics={}), artefact, "")
    assert sorted(models_dir.parent.rglob("*")) == before
    change_manifest(models_dir, lambda data: data["models"][0].update(version=version))
    with pytest.raises(Fatal, match="is no version"):
        read_manifest(models_dir)


@pytest.mark.parametrize("version", ["0", "2.3.0", "test-1", "1.0.0+kochi_2", "A" * 64])
def test_what_versions_are_called_is_written_and_read(models_dir, text, version):
    artefact = artefact_bytes(content_of(NAME, version, text, BETA))
    write(models_dir, entry_of(NAME, version, artefact, training_data={}, metrics={}), artefact, "")
    assert load_version(models_dir, NAME, version).version == version


def test_a_manifest_that_could_not_be_read_again_never_replaces_the_old_one(models_dir, text):
    before = (models_dir / "model_map.json").read_bytes()
    artefact = artefact_bytes(content_of(NAME, "4.0.0", text, BETA))
    for odd in ({"ends_at": "soon"}, {"note": "a\0b"}):
        with pytest.raises(Fatal, match="would be no manifest"):
            write(models_dir, entry_of(NAME, "4.0.0", artefact, training_data=odd, metrics={}), artefact, "")
        assert (models_dir / "model_map.json").read_bytes() == before


def test_a_model_that_nothing_feeds_is_refused(models_dir):
    change_manifest(models_dir, lambda data: data["models"][0].update(name="crystal_ball"))
    with pytest.raises(Fatal, match="nothing here computes features"):
        load_version(models_dir, "crystal_ball", "1.0.0")


def test_a_stray_artefact_and_an_unlisted_default_are_found(models_dir):
    (models_dir / "stray.joblib").write_bytes(b"")
    change_manifest(models_dir, lambda data: data["defaults"].update({NAME: "7"}))
    found = {finding.what for finding in verify(models_dir) if finding.problem}
    assert found == {"stray.joblib", f"{NAME} 7"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00garbage",
        zlib.compress(pickle.dumps({"name": NAME}))[:-3],
        artefact_bytes(
            {"name": NAME, "version": "1.0.0", "features": list(MATCH_FEATURES), "trees": "", "calibration": 7}
        ),
    ],
    ids=["empty", "garbage", "cut", "no calibration"],
)
def test_what_has_its_digest_and_is_no_model_is_refused_and_raises_nothing_else(models_dir, content):
    (models_dir / NAME / "1.0.0/model.joblib").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    change_manifest(models_dir, lambda data: data["models"][0].update(sha256=digest))
    assert "holds no model" in refusal(models_dir, "1.0.0")
    with pytest.raises(ModelRefusedError):
        load_released(models_dir, NAME, "1.0.0", digest)


@pytest.mark.parametrize("compress", [0, ("zlib", 6), ("gzip", 3)])
def test_an_artefact_that_is_no_plain_data_is_read_as_joblib_wrote_it(models_dir, text, compress):
    numbers = {"kind": "isotonic", "raw": np.array([-2.0, 3.0]), "probability": np.array([0.1, 0.7])}
    buffer = io.BytesIO()
    joblib.dump(content_of(NAME, "2.0.0", text, numbers), buffer, compress=compress)
    artefact = buffer.getvalue()
    write(models_dir, entry_of(NAME, "2.0.0", artefact, training_data={}, metrics={}), artefact, "")
    rows = rows_of(50, 1)
    plain = {"kind": "isotonic", "raw": [-2.0, 3.0], "probability": [0.1, 0.7]}
    expected = scorer_of(content_of(NAME, "2.0.0", text, plain), sha256="").predict(rows)
    assert np.array_equal(load_version(models_dir, NAME, "2.0.0").predict(rows), expected)


def test_what_is_written_is_the_default_only_where_that_is_wanted_or_there_is_none(models_dir, text):
    artefact = artefact_bytes(content_of(NAME, "3.0.0", text, BETA))
    entry = entry_of(NAME, "3.0.0", artefact, training_data={}, metrics={})
    assert write(models_dir, entry, artefact, "") == WRITTEN
    assert read_manifest(models_dir).defaults[NAME] == "1.1.0"
    assert write(models_dir.parent / "new", entry, artefact, "") == WRITTEN
    assert read_manifest(models_dir.parent / "new").defaults[NAME] == "3.0.0"


def test_trees_that_refine_a_feature_add_to_its_logit(text):
    plain, refining = (
        scorer_of(content_of(NAME, "1", text, PLAIN, start), sha256="") for start in (None, "distance_km")
    )
    rows = np.random.default_rng(0).random((50, N_FEATURES))
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    assert logit(refining.predict(rows)) == pytest.approx(logit(plain.predict(rows)) + logit(rows[:, 1]), abs=1e-9)
    ends = np.tile([0.0, 1.0], 25)
    assert np.isfinite(refining.predict(np.column_stack([rows[:, 0], ends, rows[:, 2:]]))).all()
    with pytest.raises(UnreadableTreesError, match="none of its features"):
        scorer_of(content_of(NAME, "1", text, PLAIN, "shoe_size"), sha256="")


def test_an_artefact_is_never_changed(models_dir, text):
    artefact = artefact_bytes(content_of(NAME, "1.0.0", text, BETA))
    entry = entry_of(NAME, "1.0.0", artefact, training_data={}, metrics={})
    assert write(models_dir, entry, artefact, "") == THERE
    other = artefact_bytes(content_of(NAME, "1.0.0", text, {**BETA, "c": 0.0}))
    with pytest.raises(Fatal, match="give another --version"):
        write(models_dir, entry_of(NAME, "1.0.0", other, training_data={}, metrics={}), other, "")


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"rust")])
def test_an_artefact_that_is_gone_or_broken_is_there_again_once_it_was_made_again(models_dir, damage):
    folder = models_dir / NAME / "1.0.0"
    artefact, before = (folder / "model.joblib").read_bytes(), (models_dir / "model_map.json").read_bytes()
    damage(folder / "model.joblib")
    entry = entry_of(NAME, "1.0.0", artefact, training_data={}, metrics={})
    assert "train it with" in refusal(models_dir)
    assert write(models_dir, entry, artefact, "# Again") == MENDED
    assert load_version(models_dir, NAME, "1.0.0").version == "1.0.0"
    assert (models_dir / "model_map.json").read_bytes() == before
    assert write(models_dir, entry, artefact, "# Again") == THERE


def test_a_version_that_is_there_becomes_the_default_where_that_is_wanted(models_dir):
    artefact = (models_dir / NAME / "1.0.0/model.joblib").read_bytes()
    entry = entry_of(NAME, "1.0.0", artefact, training_data={}, metrics={})
    before = read_manifest(models_dir)
    assert write(models_dir, entry, artefact, "", as_default=True) == THERE + DEFAULT_NOW
    after = read_manifest(models_dir)
    assert (after.defaults, after.entries) == ({NAME: "1.0.0"}, before.entries)
    assert write(models_dir, entry, artefact, "", as_default=True) == THERE


def test_beta_calibration_with_ones_is_the_sigmoid_and_never_turns_an_order_round():
    raw = np.linspace(-800, 800, 1001)
    plain = Calibration({"kind": "beta", "a": 1.0, "b": 1.0, "c": 0.0}).probabilities(raw)
    assert plain == pytest.approx(1 / (1 + np.exp(-raw.clip(-700, 700))), abs=1e-15)
    for parameters in (BETA, {"kind": "isotonic", "raw": [-2.0, 0.0, 3.0], "probability": [0.1, 0.1, 0.7]}):
        assert (np.diff(Calibration(parameters).probabilities(raw)) >= 0).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"kind": "beta", "a": -1.0, "b": 1.0, "c": 0.0},
        {"kind": "beta", "a": float("nan"), "b": 1.0, "c": 0.0},
        {"kind": "isotonic", "raw": [0.0, 1.0], "probability": [0.5, 0.4]},
        {"kind": "isotonic", "raw": [0.0, 0.0], "probability": [0.1, 0.2]},
        {"kind": "isotonic", "raw": [0.0, 1.0], "probability": [0.5, 1.4]},
        {"kind": "horoscope"},
    ],
)
def test_a_calibration_that_makes_no_sense_is_refused(parameters):
    with pytest.raises(UnreadableTreesError):
        Calibration(parameters)


def test_rows_of_another_width_are_a_mistake(written):
    with pytest.raises(ValueError, match=f"takes rows of {N_FEATURES} columns"):
        load_champion(written, NAME).predict(np.zeros((3, 6)))
