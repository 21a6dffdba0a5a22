"""Whatever stands in ``model_map.json``: it is refused in one line, or read, and nothing else is raised."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.scoring import ModelRefusedError
from smartblood import cli, models_there
from smartblood.errors import Fatal
from smartblood.registry.loading import load_released, verify
from smartblood.registry.manifest import FILE, read_manifest
from smartblood.settings import MODELS_DIR, load

THERE = "donor_reliability"
"""The one artefact that is there: reading all of them takes too long to be done a hundred times."""

MAP = json.loads((MODELS_DIR / FILE).read_text("utf-8"))
PLACE = next(place for place, entry in enumerate(MAP["models"]) if entry["name"] == THERE)
DIGEST = MAP["models"][PLACE]["sha256"]
DEEP = "nested far too deeply"


def paths_of(data: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON data."""
    yield so_far
    if isinstance(data, dict | list):
        for place, part in data.items() if isinstance(data, dict) else enumerate(data):
            yield from paths_of(part, (*so_far, place))


OF_ENTRY = [("models", PLACE, *path) for path in paths_of(MAP["models"][PLACE])]
ANYWHERE = list(paths_of(MAP))
TEXTS = st.text(max_size=8) | st.sampled_from(["\0", "\ud800", "a\nb", "..", "/tmp", "", DEEP, "x" * 5000])
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**30, -(10**400), 2**63, True])
VALUES = st.recursive(
    st.none() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def changed(path, value):
    data = copy.deepcopy(MAP)
    if not path:
        return value
    inner = data
    for place in path[:-1]:
        inner = inner[place]
    inner[path[-1]] = value
    return data


def put(folder, data):
    text = json.dumps(data).replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)
    (folder / FILE).write_text(text, "utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    models_dir = tmp_path_factory.mktemp("models")
    shutil.copytree(MODELS_DIR / THERE, models_dir / THERE)
    return models_dir


ODD = [
    (("models", PLACE, "features", 0, "name"), None),
    (("models", PLACE, "features", 0, "unit"), 1),
    (("models", PLACE, "features", 0, "unit"), []),
    (("models", PLACE, "file"), "a\0b"),
    (("models", PLACE, "file"), "\ud800"),
    (("models", PLACE, "training_data"), DEEP),
    (("models", PLACE, "training_data", "ends_at"), None),
    (("models", PLACE, "training_data", "ends_at"), "soon"),
    (("models", PLACE, "training_data", "ends_at"), 1e300),
    (("models", PLACE, "metrics", "auc_model"), []),
    (("models", PLACE, "metrics", "auc_model"), [None, None, None]),
    (("models", PLACE, "reference"), {"a": {"edges": [10**400], "shares": [1, 0, 0]}}),
]


def refusal(asked):
    try:
        asked()
    except (Fatal, ModelRefusedError) as error:
        return str(error)
    return ""


def refused_or_read(folder, data):
    """Does all that is done with a manifest, and returns whether it could be listed; raises what may not be raised."""
    put(folder, data)
    there = load(models_dir=folder)
    for asked in (
        lambda: read_manifest(folder),
        lambda: load_released(folder, THERE, "2.3.0", DIGEST),
        lambda: verify(folder),
    ):
        said = refusal(asked)
        assert "\n" not in said
        assert len(said) < 2000
    for listed in models_there.artefacts_there(there).values():
        for artefact in listed:  # as Postgres takes it
            text = json.dumps(artefact.metadata, ensure_ascii=False, allow_nan=False)
            assert "\\u0000" not in text
            assert text.encode("utf-8")
            assert 0 <= artefact.as_of < 2**63
    models_there.references_there(there)
    arguments = ["models", "list", "--models-dir", str(folder)]
    return not refusal(lambda: cli.smartblood.main(arguments, standalone_mode=False))


@given(st.sampled_from(OF_ENTRY) | st.sampled_from(ANYWHERE), VALUES)
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_the_manifest_it_is_refused_or_read(folder, path, value):
    refused_or_read(folder, changed(path, value))


@pytest.mark.parametrize(("path", "value"), ODD, ids=[f"{path[2:]} {str(value)[:20]!r}" for path, value in ODD])
def test_what_was_found_to_be_odd_is_refused_or_read(folder, path, value):
    refused_or_read(folder, changed(path, value))


def test_a_manifest_as_it_should_be_is_read_and_its_figures_are_shown(folder, capsys):
    assert refused_or_read(folder, MAP)
    shown = [line for line in capsys.readouterr().out.splitlines() if THERE in line]
    assert len(shown) == 1
    assert f"AUC {MAP['models'][PLACE]['metrics']['auc_model'][0]:.3f}" in shown[0]


def test_what_has_no_figure_is_listed_without_one(folder, capsys):
    path = ("models", PLACE, "metrics", "auc_model")
    for value in ([], [None, None, None], None, "good", {}):
        assert refused_or_read(folder, changed(path, value))
        shown = next(line for line in capsys.readouterr().out.splitlines() if THERE in line)
        assert "AUC" not in shown
