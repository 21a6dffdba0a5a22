"""The AsyncAPI document that is checked in is the one that the catalogue and the schemas give."""

import json
import tomllib
from pathlib import Path

from schemas.asyncapi import document
from schemas.catalogue import topics

ROOT = Path(__file__).parents[2]


def test_document_is_generated_anew():
    # Mend it with: make docs
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8")) == document(version)


def test_every_topic_has_a_channel_and_every_reference_a_target():
    whole = document("0")
    assert set(whole["channels"]) == set(topics())
    for reference in references(whole):
        target = whole
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def references(part):
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in references(value)]
    if isinstance(part, list):
        return [found for value in part for found in references(value)]
    return []
