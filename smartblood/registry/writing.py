"""Writing artefacts: the file, its card, its line in the manifest. What is written is never changed again."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib

from smartblood.errors import Fatal
from smartblood.registry.builders import BUILDERS
from smartblood.registry.checks import installed, libraries_of
from smartblood.registry.manifest import FILE, Entry, Manifest, manifest_of, read_manifest

MODEL, CARD = "model.joblib", "card.md"

WRITTEN, MENDED, THERE = "written", "written anew, since it was gone or broken", "there already, the same"
DEFAULT_NOW = ", and the default now"
"""What ``write`` did, for people; the last is added where that is all, or more, that changed."""

ELSEWHERE = "set SMARTBLOOD_MODELS_DIR to a folder that can, or name one with `train --out`"


def content_of(
    name: str, version: str, trees: str, calibration: dict[str, Any], start: str | None = None
) -> dict[str, Any]:
    """Return what an artefact holds: plain data, so that reading it runs no code of ours.

    Parameters
    ----------
    trees : str
        LightGBM's text.
    calibration : dict
        As ``scorer.Calibration`` takes it.
    start : str, optional
        The feature that the trees refine.
    """
    content: dict[str, Any] = {
        "name": name,
        "version": version,
        "features": [feature.name for feature in BUILDERS[name]],
        "trees": trees,
        "calibration": calibration,
    }
    return content if start is None else {**content, "start": start}


def artefact_bytes(content: dict[str, Any]) -> bytes:
    """Return an artefact; the same content gives the same bytes."""
    buffer = io.BytesIO()
    joblib.dump(content, buffer, compress=("zlib", 6))
    return buffer.getvalue()


def file_of(name: str, version: str) -> str:
    """Return where an artefact lies, below the folder of the manifest."""
    return f"{name}/{version}/{MODEL}"


def entry_of(
    name: str, version: str, artefact: bytes, *, training_data: dict[str, Any], metrics: dict[str, Any]
) -> Entry:
    """Return what the manifest says of an artefact made here and now, with the libraries that are installed."""
    return Entry(
        name=name,
        version=version,
        file=file_of(name, version),
        sha256=hashlib.sha256(artefact).hexdigest(),
        features=BUILDERS[name],
        libraries={library: str(installed(library)) for library in libraries_of(name)},
        training_data=training_data,
        metrics=metrics,
    )


def write(models_dir: Path, entry: Entry, artefact: bytes, card: str, *, as_default: bool = False) -> str:
    """Write an artefact, its card and its line in the manifest, as its model's default where wanted or there is none.

    Of a version that is there already, with the same bytes, its line stays as it is. Its file is written anew where
    that is gone or has other bytes.

    Returns
    -------
    str
        What was done, for people: ``WRITTEN``, ``MENDED`` or ``THERE``, the latter two with ``DEFAULT_NOW`` after them
        where another version was the default before.

    Raises
    ------
    Fatal
        If this version is there with other bytes, or can't be written, or the manifest couldn't be read with it.
    """
    manifest = read_manifest(models_dir) if (models_dir / FILE).exists() else Manifest({}, ())
    there = _there(manifest, entry, models_dir)
    changed = manifest.with_entry(there or entry, as_default=as_default)
    told = _told(changed, models_dir / FILE)
    path = models_dir / entry.file
    is_whole = there is not None and _holds(path, artefact)
    is_told = there is not None and changed.defaults == manifest.defaults
    try:
        if not is_whole:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, artefact)
            _replace(path.with_name(CARD), card.encode())
        if not is_told:
            _replace(models_dir / FILE, told)
    except OSError as error:
        message = f"{path} can't be written: {error.strerror}; {ELSEWHERE}"
        raise Fatal(message) from error
    if there is None:
        return WRITTEN
    return (THERE if is_whole else MENDED) + ("" if is_told else DEFAULT_NOW)


def _there(manifest: Manifest, entry: Entry, models_dir: Path) -> Entry | None:
    """Return what the manifest says of this version already, None where nothing.

    Raises
    ------
    Fatal
        If it was made otherwise.
    """
    for other in manifest.entries:
        if (other.name, other.version) == (entry.name, entry.version):
            if _made_alike(other) == _made_alike(entry):
                return other
            message = (
                f"{entry.name} {entry.version} is in {models_dir / FILE} already, with other bytes or libraries; "
                f"released artefacts don't change: give another --version"
            )
            raise Fatal(message)
    return None


def _holds(path: Path, artefact: bytes) -> bool:
    try:
        return path.read_bytes() == artefact
    except OSError:
        return False


def _told(manifest: Manifest, path: Path) -> bytes:
    """Return what the file of a manifest is to hold, after it was read: nobody could read any version otherwise."""
    try:
        content = manifest.as_text().encode()
        manifest_of(content)
    except ValueError as error:
        message = f"{path} would be no manifest any more, and nothing is written: {error}"
        raise Fatal(message) from error
    return content


def _made_alike(entry: Entry) -> Entry:
    """Return what must be the same of two artefacts of one version."""
    return replace(entry, metrics={}, training_data={}, reference={})


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
