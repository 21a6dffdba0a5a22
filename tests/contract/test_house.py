"""The house: names are ours alone, no room is a dumping ground, nothing says what doesn't belong into the project."""

import importlib.metadata
import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from schemas.catalogue import schema_files

ROOT = Path(__file__).parents[2]
PACKAGES = ("consumers", "features", "producers", "schemas", "smartblood")
DUMPING_GROUNDS = {"utils", "helpers", "common", "core", "base", "manager", "service", "misc"}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_is_ours_alone(package):
    assert importlib.metadata.packages_distributions()[package] == ["smartblood-stream"]


def test_it_is_never_uploaded():
    assert "Private :: Do Not Upload" in importlib.metadata.metadata("smartblood-stream").get_all("Classifier")


def test_no_module_is_a_dumping_ground():
    assert not {path for path in MODULES if path.stem in DUMPING_GROUNDS}


def test_no_module_is_two_rooms_in_one():
    # About 300 lines is the house's measure; what is far above it wants a second room.
    assert not {path.name: n for path in MODULES if (n := len(path.read_text("utf-8").splitlines())) > 450}


def test_every_public_module_says_what_it_is():
    assert not [path for path in MODULES if not path.read_text("utf-8").lstrip().startswith('"""')]


def test_no_lock_names_a_host():
    for lock in ("requirements.lock", "deploy/requirements.lock"):
        text = (ROOT / lock).read_text("utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") > 50


def test_the_locks_are_those_of_the_project():
    # What pyproject.toml asks for is locked; `make lock` mends it.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {one.split(">")[0].split("<")[0].split("=")[0].strip().lower() for one in asked}
    locked = {
        line.split("==")[0] for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines() if "==" in line
    }
    assert names <= locked


def test_the_changelog_names_every_migration_and_every_schema_that_has_a_newer_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    schemas, migrations = text.split("### Schemas")[-1].split("### Migrations")
    newer = [file for file in schema_files() if file.version > 1]
    assert not [file.path for file in newer if f"`{file.topic}` version {file.version}" not in schemas]
    steps = sorted((ROOT / "smartblood/storage/migrations/versions").glob("[0-9]*.py"))
    assert not [step.name for step in steps if step.name[:4] not in migrations]


def test_the_changelog_names_the_first_and_the_last_id_of_our_schemas():
    ids = sorted(int(one) for one in json.loads((ROOT / "schemas/ids.json").read_text("utf-8")))
    assert f"(ids {ids[0]:,} to {ids[-1]:,})" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_nothing_large_is_under_version_control():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert not [path for path in files if path.is_file() and path.stat().st_size > 3_000_000]
