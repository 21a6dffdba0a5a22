"""Models are trained from what a real broker recorded, by offsets and by files, twice the same."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from features.vectors import AVAILABILITY, RELIABILITY
from producers.simulator import simulate
from schemas.codec import Codec
from smartblood import cli
from smartblood.kafka.client import Cluster
from smartblood.kafka.publisher import Publisher
from smartblood.kafka.topics import ensure
from smartblood.registry.loading import verify
from smartblood.registry.manifest import read_manifest
from smartblood.settings import MODELS_DIR, load
from smartblood.training.panel import train
from smartblood.training.replaying import of_world
from tests.unit.training.world import END, SMALL

pytestmark = pytest.mark.broker
END_TEXT = "2025-11-24T16:00:00Z"
WORLD = replace(SMALL, updates_per_donor_year=0.0)
"""Nobody has two profiles: of old ones the cleaner takes all but the last whenever it likes to."""


@pytest.fixture
def flags(broker, topic_prefix):
    """A world's events on topics of its own."""
    settings = load(
        kafka_bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=topic_prefix,
        donor_partitions=3,
        request_partitions=2,
    )
    ensure(settings)
    with Publisher(Cluster.of(settings), Codec()) as publisher:
        for line in simulate(WORLD, 3, END).events(with_requests=True):
            publisher.publish(*line)
    return ["--kafka", broker.bootstrap_servers, "--topic-prefix", topic_prefix]


def entry(folder):
    return read_manifest(folder).entry(RELIABILITY)


def test_recorded_topics_teach_by_offsets_by_instants_and_from_files(flags, tmp_path, capsys):
    def run(*arguments):
        code = cli.exit_code(list(arguments))
        said = capsys.readouterr()
        assert code == 0, said.err
        return said.out

    def learn(folder, *of):
        run("train", RELIABILITY, "--seed", "3", "--version", "1.0.0", "--out", str(tmp_path / folder), *of)
        return entry(tmp_path / folder)

    first = learn("first", "--from-topics", "--to", END_TEXT, *flags)
    told = first.training_data["topics"]
    assert told["donor-responded"]["n"] > 10_000
    assert first.sha256 == train(of_world(WORLD, 3, END), 3, "1.0.0", names=[RELIABILITY])[RELIABILITY].entry.sha256

    # The ranges that the card tells, and nothing else: the same bytes, the same card.
    ranges = [
        part
        for topic, of in told.items()
        for number, (start, end) in of["offsets"].items()
        for part in ("--range", f"{topic}/{number}={start}..{end}")
    ]
    again = learn("again", "--from-topics", "--to", END_TEXT, *ranges, *flags)
    assert again == first
    one, two = (tmp_path / folder / RELIABILITY / "1.0.0/card.md" for folder in ("first", "again"))
    assert one.read_bytes() == two.read_bytes()

    run("topics", "keep", str(tmp_path / "kept"), "--to", END_TEXT, *flags)
    from_files = learn("files", "--from-files", str(tmp_path / "kept"))
    assert (from_files.sha256, from_files.metrics) == (first.sha256, first.metrics)

    most = told["donor-responded"]["offsets"]["0"][1] * 9 // 10
    less = learn("less", "--from-topics", "--to", END_TEXT, "--range", f"donor-responded/0=..{most}", *flags)
    assert less.training_data["topics"]["donor-responded"]["offsets"]["0"] == [0, most]
    assert less.sha256 != first.sha256
    assert json.dumps(less.training_data)


def test_a_recalibration_by_recorded_outcomes_can_be_made_again(flags, tmp_path, capsys):
    found = []
    for folder in ("one", "two"):
        models_dir = shutil.copytree(MODELS_DIR, tmp_path / folder)
        arguments = ["models", "recalibrate", AVAILABILITY, "--version", "9.0.0", "--models-dir", str(models_dir)]
        code = cli.exit_code([*arguments, "--from-topics", "--to", END_TEXT, *flags])
        said = capsys.readouterr()
        assert code == 0, said.err
        assert "Thiruvananthapuram" in said.out
        made = read_manifest(models_dir).entry(AVAILABILITY, "9.0.0")
        found.append((made, (models_dir / made.file).with_name("card.md").read_text("utf-8")))
        assert read_manifest(models_dir).entry(AVAILABILITY).version != "9.0.0"  # until somebody releases it
        assert [one.problem for one in verify(models_dir) if one.problem] == []
    assert found[0] == found[1]
    told = found[0][0].training_data
    assert told["topics"]["donor-responded"]["n"] > 10_000
    assert f"sha256 {told['topics']['donor-responded']['sha256']}" in found[0][1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "5"],
        ["--from-topics", "--range", "matches=1..2"],
        ["--from-topics", "--range", "donor-responded/x=1..2"],
        ["--from-topics", "--range", "donor-responded=soon.."],
        ["--from-topics", "--donors", "600"],
        ["--from-topics", "--from-files", "."],
    ],
)
def test_bounds_that_make_no_sense_are_wrong_usage(arguments):
    assert cli.exit_code(["train", *arguments]) == 2
