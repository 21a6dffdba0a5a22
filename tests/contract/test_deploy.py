"""Every command, variable and metric that `deploy` names exists, and the compose file is one by its specification."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import prometheus_client
import pytest
from ruamel.yaml import YAML

import smartblood.metrics
from smartblood.cli import smartblood as program
from smartblood.settings import KAFKA_PREFIX, PREFIX, Settings

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


def commands():
    dockerfile = TEXTS["Dockerfile"]
    yield from ([*service["command"]] for service in OURS.values())
    yield from (json.loads(line.removeprefix("CMD ")) for line in dockerfile.splitlines() if line.startswith("CMD "))


@pytest.mark.parametrize("arguments", list(commands()), ids=shlex.join)
def test_every_command_exists_and_takes_its_arguments(arguments):
    command, context = program, click.Context(program, info_name="smartblood")
    arguments = list(arguments)
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None
        command, context = found, click.Context(found, parent=context)
    options = {option for parameter in command.get_params(context) for option in parameter.opts}
    given = {argument for argument in arguments if argument.startswith("-")}
    assert given <= options | {"--help"}


def test_every_variable_exists():
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", "\n".join(TEXTS.values())))
    assert named
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    assert {name for name in named if not name.startswith(KAFKA_PREFIX)} <= known


def exported():
    names = set()
    for thing in vars(smartblood.metrics).values():
        if isinstance(thing, prometheus_client.metrics.MetricWrapperBase):
            for family in thing.describe():
                kinds = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
                names |= {family.name + suffix for suffix in kinds.get(family.type, [""])}
    return names


def test_every_metric_exists():
    named = set(re.findall(r"smartblood_[a-z_]+", TEXTS["alerts.yml"]))
    assert named
    assert named <= exported()


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
