"""From a manifest to scorers, with every check before anything is deserialised."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np

from features.recalibration import shifted
from features.scoring import ModelRefusedError, Panel
from features.vectors import FEATURES
from smartblood.errors import Fatal
from smartblood.registry.checks import again, checked_bytes
from smartblood.registry.manifest import FILE, Entry, read_manifest
from smartblood.registry.scorer import TreeScorer, scorer_of
from smartblood.registry.trees import UnreadableTreesError


class Finding(NamedTuple):
    """What ``verify`` found: a version of a model or a file, and what is wrong with it; None where nothing is."""

    what: str
    problem: str | None


def load_champion(models_dir: Path, name: str, *, pinned: str | None = None) -> TreeScorer:
    """Load the default version of a model.

    Raises
    ------
    Fatal
        If it isn't there, or is refused: its digest, features or libraries are not what they should be, or the
        manifest hasn't the digest ``pinned``.
    """
    return load_version(models_dir, name, None, pinned=pinned)


def load_panel(models_dir: Path, versions: Mapping[str, str] | None = None, *, pinned: str | None = None) -> Panel:
    """Load a version of each model of donors: the default, unless ``versions`` names another one.

    Raises
    ------
    Fatal
        As ``load_champion``.
    """
    named = versions or {}
    return Panel(*(load_version(models_dir, name, named.get(name), pinned=pinned) for name in FEATURES))


def load_version(models_dir: Path, name: str, version: str | None, *, pinned: str | None = None) -> TreeScorer:
    """Load a version of a model, the default where None.

    Raises
    ------
    Fatal
        As ``load_champion``.
    """
    return _load(models_dir, read_manifest(models_dir, pinned).entry(name, version))


def load_content(models_dir: Path, name: str, version: str | None, *, pinned: str | None = None) -> tuple[Entry, Any]:
    """Return what the manifest says of a version, the default where None, and what its artefact holds.

    Raises
    ------
    Fatal
        As ``load_champion``.
    """
    entry = read_manifest(models_dir, pinned).entry(name, version)
    return entry, _read(models_dir, entry)[0]


def load_digest(models_dir: Path, name: str, sha256: str, *, pinned: str | None = None) -> TreeScorer:
    """Load the version of a model whose artefact has a digest.

    Raises
    ------
    Fatal
        If there is none, else as ``load_champion``.
    """
    for entry in read_manifest(models_dir, pinned).entries:
        if (entry.name, entry.sha256) == (name, sha256):
            return _load(models_dir, entry)
    message = f"{FILE} has no {name} with the digest {sha256}: take the artefact from the release that had it"
    raise Fatal(message)


def load_released(models_dir: Path, name: str, version: str, sha256: str, *, pinned: str | None = None) -> TreeScorer:
    """Load the version that a ``model-released`` names.

    Raises
    ------
    ModelRefusedError
        If it isn't there, is refused as in ``load_champion``, or has another digest than was released.
    """
    try:
        entry = read_manifest(models_dir, pinned).entry(name, version)
        if entry.sha256 != sha256.lower():
            message = f"{FILE} says that its digest is {entry.sha256}, and {sha256.lower()[:80]} was released"
            raise ModelRefusedError(message)
        return _load(models_dir, entry)
    except Fatal as error:
        raise ModelRefusedError(str(error).removeprefix(f"{name} {version}: ")) from error


def verify(models_dir: Path, *, pinned: str | None = None) -> list[Finding]:
    """Check every artefact of a folder, and that no other file pretends to be one.

    Raises
    ------
    Fatal
        If the manifest can't be read, or hasn't the digest ``pinned``.
    """
    manifest = read_manifest(models_dir, pinned)
    findings = [Finding(f"{entry.name} {entry.version}", _problem(models_dir, entry)) for entry in manifest.entries]
    for name, version in manifest.defaults.items():
        if (name, version) not in {(entry.name, entry.version) for entry in manifest.entries}:
            findings.append(Finding(f"{name} {version}", f"it is the default, and {FILE} doesn't list it"))
    listed = {entry.file for entry in manifest.entries}
    for path in sorted(models_dir.rglob("*.joblib")):
        file = path.relative_to(models_dir).as_posix()
        if file not in listed:
            findings.append(Finding(file, f"{FILE} doesn't list it"))
    return findings


def _problem(models_dir: Path, entry: Entry) -> str | None:
    try:
        _load(models_dir, entry)
    except Fatal as error:
        return str(error).removeprefix(f"{entry.name} {entry.version}: ")
    return None


def _load(models_dir: Path, entry: Entry) -> TreeScorer:
    return _read(models_dir, entry)[1]


def _read(models_dir: Path, entry: Entry) -> tuple[Any, TreeScorer]:
    data = checked_bytes(models_dir, entry)
    try:
        content = joblib.load(io.BytesIO(data))
        return content, _scorer(entry, content)
    except Fatal:
        raise
    except Exception as error:  # whatever unpickling, reading or trying it raises: a release must not stop a stream
        message = f"{entry.name} {entry.version}: {entry.file} holds no model: {type(error).__name__}; {again(entry)}"
        raise Fatal(message) from error


def _scorer(entry: Entry, content: Any) -> TreeScorer:  # noqa: ANN401 - what a file holds
    names = tuple(feature.name for feature in entry.features)
    try:
        scorer = scorer_of(content, sha256=entry.sha256)
    except UnreadableTreesError as error:
        message = f"{entry.name} {entry.version}: {entry.file} holds no model: {error}; {again(entry)}"
        raise Fatal(message) from error
    if (scorer.name, scorer.version, scorer.features) != (entry.name, entry.version, names):
        message = f"{entry.name} {entry.version}: {entry.file} holds {scorer.name} {scorer.version}; {again(entry)}"
        raise Fatal(message)
    # Compiles what isn't yet, so that the first request doesn't wait for it.
    shifted(scorer.predict(np.zeros((1, len(names)))), np.ones(1))
    return scorer
