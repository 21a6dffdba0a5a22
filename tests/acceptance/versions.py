"""The artefacts of the project in a folder of their own, and other versions beside them."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import joblib

from smartblood.registry.manifest import Entry, read_manifest
from smartblood.registry.writing import artefact_bytes, entry_of, write
from smartblood.settings import MODELS_DIR

OTHER = "9.0.0"
"""The version that ``other_version`` makes."""


def artefacts(folder: Path) -> Path:
    """Copy the artefacts to where nobody else adds to them."""
    return Path(shutil.copytree(MODELS_DIR, folder / "models"))


def other_version(models_dir: Path, name: str, *, without: str | None = None, **changes) -> Entry:
    """Put another version beside a model's default: the same but for what changes, and for what it goes ``without``."""
    content = joblib.load(io.BytesIO((models_dir / read_manifest(models_dir).entry(name).file).read_bytes()))
    content = {key: value for key, value in content.items() if key != without} | {"version": OTHER} | changes
    artefact = artefact_bytes(content)
    entry = entry_of(name, OTHER, artefact, training_data={"ends_at": 0}, metrics={})
    assert write(models_dir, entry, artefact, "")
    return entry
