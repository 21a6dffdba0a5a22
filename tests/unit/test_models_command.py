from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from smartblood import cli
from smartblood.errors import Fatal
from smartblood.registry.builders import BUILDERS
from smartblood.registry.manifest import read_manifest
from smartblood.registry.writing import entry_of
from smartblood.settings import MODELS_DIR
from smartblood.training.learning import Trained

ENTRY = entry_of("donor_reliability", "9.0.0", b"", training_data={}, metrics={})


class Said(NamedTuple):
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs a command in this very process."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        return Said(cli.exit_code(list(arguments)), *capsys.readouterr())

    return command


@pytest.fixture
def models_dir(tmp_path):
    return shutil.copytree(MODELS_DIR, tmp_path / "models")


def test_models_list_marks_the_default_and_tells_the_digest(run, models_dir):
    said = run("models", "list", "--models-dir", str(models_dir))
    assert said.returncode == 0
    lines = [line.split() for line in said.stdout.splitlines()]
    assert [(mark, name) for mark, name, *_ in lines] == [("*", name) for name in sorted(BUILDERS)]
    for _, name, version, digest, *_ in lines:
        assert (models_dir / name / version / "model.joblib").exists()
        assert len(digest) == 64


def test_models_verify_says_yes_by_0_no_by_1_and_couldnt_by_3(run, models_dir):
    yes = run("models", "verify", "--models-dir", str(models_dir))
    assert (yes.returncode, yes.stderr) == (0, "")
    assert "as it should be" in yes.stdout

    artefact = next(models_dir.rglob("model.joblib"))
    artefact.write_bytes(artefact.read_bytes()[:-1])
    no = run("models", "verify", "--models-dir", str(models_dir))
    assert no.returncode == 1
    assert "has the digest" in no.stdout

    (models_dir / "model_map.json").unlink()
    could_not = run("models", "verify", "--models-dir", str(models_dir))
    assert could_not.returncode == 3
    assert len(could_not.stderr.splitlines()) == 1


def test_train_says_where_a_world_is_too_small(run, tmp_path):
    said = run("train", "donor_seeker_match", "--donors", "500", "--days", "90", "--out", str(tmp_path))
    assert said.returncode == 3
    assert "give more --donors or --days" in said.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tried(monkeypatch):
    """Fails where `train` begins to do what takes minutes."""
    monkeypatch.setattr("smartblood.training.replaying.of_world", lambda *_: pytest.fail("it began to simulate"))
    monkeypatch.setattr("smartblood.forecasting.training.train", lambda *_: pytest.fail("it began to fit"))


def test_train_writes_where_the_models_are_unless_told_otherwise(run, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("smartblood.training.replaying.of_world", lambda *_: None)
    monkeypatch.setattr("smartblood.training.sent.trial_of", lambda *_: None)
    monkeypatch.setattr("smartblood.training.panel.train", lambda *_, **__: {"m": Trained(b"", ENTRY, "")})
    monkeypatch.setattr("smartblood.registry.writing.write", lambda out, *_, **__: written.append(out) or "written")
    arguments = ["train", "donor_reliability", "--version", "9.0.0"]
    monkeypatch.setenv("SMARTBLOOD_MODELS_DIR", str(tmp_path / "ours"))
    assert run(*arguments).returncode == 0
    monkeypatch.setenv("SMARTBLOOD_TRAIN_OUT", str(tmp_path / "elsewhere"))
    assert run(*arguments).returncode == 0
    assert run(*arguments, "--out", "here").returncode == 0
    assert written == [tmp_path / "ours", tmp_path / "elsewhere", Path("here")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("tried")
def test_train_finds_beforehand_what_it_could_not_write(run, tmp_path, models_dir, monkeypatch):
    def refused(*arguments):
        said = run("train", *arguments, "--out", str(tmp_path / "models"))
        assert (said.returncode, said.stdout, len(said.stderr.splitlines())) == (3, "", 1)
        return said.stderr

    others = (
        ["donor_reliability", "--donors", "600"],
        ["donor_reliability", "--days", "100"],
        ["donor_availability", "--seed", "5"],
        ["donor_seeker_match", "--lists", "10"],
        ["donor_seeker_match", "--lists", "0"],
        ["demand_forecast", "--version", "1.1.0", "--days", "400"],
        ["demand_forecast", "--version", "1.1.0", "--seed", "5"],
    )
    for arguments in others:
        assert "give another --version" in refused(*arguments)
    map_file = models_dir / "model_map.json"
    text = map_file.read_text("utf-8")
    map_file.write_text(text.replace('"lightgbm": "', '"lightgbm": "0.'), "utf-8")
    assert "give another --version" in refused("donor_response_time")
    map_file.write_text("{}", "utf-8")
    assert "is no manifest" in refused("donor_response_time", "--version", "9.0.0")
    map_file.write_text(text, "utf-8")
    monkeypatch.setenv("SMARTBLOOD_MODELS_DIR", str(models_dir))
    monkeypatch.setenv("SMARTBLOOD_MODELS_MAP_SHA256", "0" * 64)
    assert "SMARTBLOOD_MODELS_MAP_SHA256" in refused("donor_reliability", "--version", "9.0.0")
    monkeypatch.delenv("SMARTBLOOD_MODELS_MAP_SHA256")
    (models_dir / "donor_reliability/9.0.0").write_text("no folder")
    assert "can't be written" in refused("donor_reliability", "--version", "9.0.0")
    shutil.rmtree(models_dir)
    models_dir.symlink_to("/proc/self")  # where nobody can make a file, not even root
    assert "can't be written" in refused("donor_reliability", "--version", "9.0.0")


def test_train_begins_where_nothing_speaks_against_it(run, tmp_path, models_dir, monkeypatch):
    def of_world(*_):
        message = "it began"
        raise Fatal(message)

    monkeypatch.setattr("smartblood.training.replaying.of_world", of_world)
    before = sorted(models_dir.rglob("*"))
    for arguments in (
        ["donor_reliability", "--out", str(models_dir)],  # the same again
        ["donor_seeker_match", "--out", str(models_dir)],
        ["donor_reliability", "--seed", "5", "--version", "9.0.0", "--out", str(models_dir)],
        ["donor_reliability", "--out", str(tmp_path / "a" / "new" / "one")],
    ):
        assert "it began" in run("train", *arguments).stderr
    assert sorted(models_dir.rglob("*")) == before
    assert sorted(tmp_path.iterdir()) == [models_dir]


@pytest.mark.parametrize("flag", ["--donors", "--days", "--lists"])
def test_what_makes_a_world_is_refused_beside_what_was_recorded(run, flag):
    said = run("train", "--from-files", ".", flag, "600")
    assert said.returncode == 2
    assert f"{flag} makes a simulated world" in said.stderr


@pytest.mark.parametrize("version", ["", " ", "a/b", "../x", "/tmp/abs", "2.3.0\n"])
def test_what_is_no_version_is_wrong_usage(run, version, tmp_path):
    trained = run("train", "donor_seeker_match", "--donors", "500", "--days", "90", "--version", version)
    recalibrated = run("models", "recalibrate", "donor_seeker_match", "--version", version, "--from-files", ".")
    for said in (trained, recalibrated):
        assert said.returncode == 2
        assert "--version" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_train_takes_only_models_that_it_can_make(run):
    assert run("train", "crystal_ball").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["1.0.0"],
        ["1.0.0", "--role", "king"],
        ["1.0.0", "--role", "challenger"],
        ["1.0.0", "--role", "champion", "--share", "0.5"],
        ["1.0.0", "--role", "challenger", "--share", "1.5"],
        ["2.3.0", "--role", "challenger", "--share", "nan"],
    ],
)
def test_a_release_that_makes_no_sense_is_wrong_usage(run, arguments):
    assert run("models", "release", "donor_seeker_match", *arguments).returncode == 2


def test_what_cannot_be_used_is_not_released(run, models_dir):
    missing = run("models", "release", "donor_seeker_match", "7.7.7", "--role", "champion")
    assert missing.returncode == 3
    assert "7.7.7" in missing.stderr
    version = read_manifest(models_dir).entry("donor_seeker_match").version
    artefact = models_dir / "donor_seeker_match" / version / "model.joblib"
    artefact.write_bytes(artefact.read_bytes()[:-1])
    arguments = ["donor_seeker_match", version, "--role", "shadow", "--models-dir", str(models_dir)]
    broken = run("models", "release", *arguments)
    assert broken.returncode == 3
    assert "has the digest" in broken.stderr
    assert len(broken.stderr.splitlines()) == 1


@pytest.fixture
def published(monkeypatch):
    """What is published, where no broker is."""
    events = []

    class Publishing:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def publish(self, topic, key, event, timestamp_ms):
            events.append((topic, key, event))

    monkeypatch.setattr("smartblood.kafka.publisher.Publisher", Publishing)
    monkeypatch.setattr("smartblood.cli.models.await_answer", lambda _: None)
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    return events


def test_what_the_contract_forbids_is_not_published(run, published, monkeypatch):
    monkeypatch.setattr("smartblood.cli.models.time.time_ns", lambda: 7)  # a clock that was never set
    said = run("models", "release", "donor_seeker_match", "2.3.0", "--role", "retired")
    assert said.returncode == 3
    assert "before the year 2000" in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert published == []


def test_what_is_no_text_is_wrong_usage(run, published):
    said = run("models", "release", "donor_seeker_match", "2.3.0\udcff", "--role", "retired")
    assert said.returncode == 2
    assert published == []


def test_retiring_what_nobody_lists_is_published_and_said(run, published, models_dir):
    version = read_manifest(models_dir).entry("donor_seeker_match").version
    arguments = ["--role", "retired", "--models-dir", str(models_dir)]
    listed = run("models", "release", "donor_seeker_match", version, *arguments)
    assert "lists no" not in listed.stdout
    typo = run("models", "release", "donor_seeker_match", "2.30", *arguments)
    assert (typo.returncode, typo.stderr) == (0, "")
    assert len(typo.stdout.splitlines()) == 1
    assert f"donor_seeker_match 2.30 is retired now; model_map.json lists no such version, but {version}" in typo.stdout
    (models_dir / "model_map.json").unlink()
    unknown = run("models", "release", "donor_seeker_match", "2.30", *arguments)
    assert unknown.returncode == 0
    assert "model_map.json isn't there" in unknown.stdout
    assert len(unknown.stdout.splitlines()) == 1
    assert [(key, event["role"], event["sha256"] != "") for _, key, event in published] == [
        (f"donor_seeker_match/{version}", "RETIRED", True),
        ("donor_seeker_match/2.30", "RETIRED", False),
        ("donor_seeker_match/2.30", "RETIRED", False),
    ]
