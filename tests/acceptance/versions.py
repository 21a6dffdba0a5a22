"""The artefacts of the project in a folder of their own, and other versions beside them."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import joblib

from smartblood.registry.manifest import FILE, Entry, read_manifest
from smartblood.registry.writing import WRITTEN, artefact_bytes, entry_of, write
from smartblood.settings import MODELS_DIR

OTHER = "9.0.0"
"""The version that ``other_version`` makes."""


def artefacts(folder: Path) -> Path:
    """Copy the artefacts to where nobody else adds to them."""
    return Path(shutil.copytree(MODELS_DIR, folder / "models"))


def other_version(models_dir: Path, name: str, *, version: str = OTHER, without: str | None = None, **changes) -> Entry:
    """Put another version beside a model's default: the same but for what changes, and for what it goes ``without``."""
    content = joblib.load(io.BytesIO((models_dir / read_manifest(models_dir).entry(name).file).read_bytes()))
    content = {key: value for key, value in content.items() if key != without} | {"version": version} | changes
    artefact = artefact_bytes(content)
    entry = entry_of(name, version, artefact, training_data={"ends_at": 0}, metrics={})
    assert write(models_dir, entry, artefact, "") == WRITTEN
    return entry


TAMPERED = {
    "9.1.0": "has the digest",  # one byte of it is another
    "9.2.0": "has the digest",  # it and the next one have changed places
    "9.3.0": "has the digest",
    "9.4.0": "made with scikit-learn 0.24.2",
    "9.5.0": "made with lightgbm 2.3.1",
    "9.6.0": "its features aren't those that are computed for it",  # one more is listed
    "9.7.0": "can't be read",  # its file isn't there
}
"""Versions that ``tampered_versions`` makes, and what each is refused for."""


def tampered_versions(models_dir: Path, name: str) -> dict[str, str]:
    """Put versions beside a model's default that nobody may use; return their digests as the manifest has them."""
    entries = {version: other_version(models_dir, name, version=version) for version in TAMPERED}
    path = {version: models_dir / entry.file for version, entry in entries.items()}
    flipped = bytearray(path["9.1.0"].read_bytes())
    flipped[len(flipped) // 2] ^= 1
    path["9.1.0"].write_bytes(flipped)
    first, second = path["9.2.0"].read_bytes(), path["9.3.0"].read_bytes()
    path["9.2.0"].write_bytes(second)
    path["9.3.0"].write_bytes(first)
    path["9.7.0"].unlink()
    manifest = json.loads((models_dir / FILE).read_text("utf-8"))
    listed = {entry["version"]: entry for entry in manifest["models"] if entry["name"] == name}
    listed["9.4.0"]["libraries"]["scikit-learn"] = "0.24.2"
    listed["9.5.0"]["libraries"]["lightgbm"] = "2.3.1"
    listed["9.6.0"]["features"].append({"name": "phase_of_the_moon", "type": "double", "unit": "degrees"})
    (models_dir / FILE).write_text(json.dumps(manifest), "utf-8")
    return {version: entry.sha256 for version, entry in entries.items()}
