"""Every command, variable and metric that `deploy` names exists, and the compose file is one by its specification."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from smartblood.settings import PREFIX
from tests.contract.command_lines import fault_of, is_metric, is_variable

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = YAML(typ="safe").load(DEPLOY / "compose.yaml")
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "smartblood-stream"}
TEXTS = {path.name: path.read_text("utf-8") for path in DEPLOY.iterdir() if path.suffix in {".yaml", ".yml", ""}}


def test_compose_file_validates_against_the_specification():
    checker = Path(sys.executable).with_name("check-jsonschema")
    command = [checker, "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_specification_is_really_asked(tmp_path):
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(json.dumps({"services": {"kafka": {"imagine": "x"}}}))
    checker = Path(sys.executable).with_name("check-jsonschema")
    command = [checker, "--builtin-schema", "vendor.compose-spec", wrong]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.fixture
def compose():
    """The command ``docker compose``, which no engine need answer."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("there is no docker command here")
    command = [docker, "compose"]
    if subprocess.run([*command, "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("docker has no compose here")
    return command


def test_compose_reads_the_services_that_the_file_names(compose):
    asked_for = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)", TEXTS["compose.yaml"]), "given")
    command = [*compose, "-f", DEPLOY / "compose.yaml", "config"]
    read = subprocess.run(command, env=os.environ | asked_for, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    assert YAML(typ="safe").load(read.stdout)["services"].keys() == COMPOSE["services"].keys()


def commands():
    dockerfile = TEXTS["Dockerfile"]
    yield from ([*service["command"]] for service in OURS.values())
    yield from (json.loads(line.removeprefix("CMD ")) for line in dockerfile.splitlines() if line.startswith("CMD "))


def mentions():
    """What annotations of alarms tell a person to run."""
    return [shlex.split(line) for line in sorted(set(re.findall(r"`smartblood ([^`]*)`", TEXTS["alerts.yml"])))]


@pytest.mark.parametrize("arguments", list(commands()), ids=shlex.join)
def test_every_command_exists_and_takes_its_arguments(arguments):
    assert fault_of(arguments) is None


@pytest.mark.parametrize("arguments", mentions(), ids=shlex.join)
def test_every_command_that_an_alarm_names_exists(arguments):
    assert fault_of(arguments, is_mention=True) is None


def test_no_command_that_an_alarm_names_is_overlooked():
    assert len(mentions()) >= 2
    assert TEXTS["alerts.yml"].count("`") == 2 * len(re.findall(r"`smartblood [^`]*`", TEXTS["alerts.yml"]))


def test_every_variable_exists():
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", "\n".join(TEXTS.values())))
    assert named
    assert not {name for name in named if not is_variable(name)}


def test_every_metric_exists():
    named = set(re.findall(r"smartblood_[a-z_]+", TEXTS["alerts.yml"]))
    assert named
    assert not {name for name in named if not is_metric(name)}


def test_prometheus_scrapes_each_processor_where_it_serves():
    scraped = YAML(typ="safe").load(DEPLOY / "prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"]
    port = COMPOSE["x-smartblood"]["environment"]["SMARTBLOOD_METRICS_ADDRESS"].rpartition(":")[2]
    running = {name for name, service in OURS.items() if service["command"][0] == "run"}
    assert set(scraped) == {f"{name}:{port}" for name in running}


def test_kafka_writes_onto_its_volume():
    kafka = COMPOSE["services"]["kafka"]
    (volume,) = kafka["volumes"]
    assert kafka["environment"]["KAFKA_LOG_DIRS"] == volume.partition(":")[2]


def test_what_the_image_copies_is_there():
    for line in TEXTS["Dockerfile"].splitlines():
        if line.startswith("COPY "):
            assert (ROOT / line.split()[1]).exists(), line
