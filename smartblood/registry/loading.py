"""From a manifest to scorers, with every check before anything is deserialised."""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import joblib

from features.scoring import ModelRefusedError, Panel
from features.vectors import FEATURES
from smartblood.errors import Fatal
from smartblood.registry.builders import DEMAND_FORECAST
from smartblood.registry.checks import again, checked_bytes
from smartblood.registry.forecaster import TreeForecaster, forecaster_of
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
    with _refusing(name, version):
        return _load(models_dir, _released(models_dir, name, version, sha256, pinned))


def load_forecaster(models_dir: Path, version: str | None = None, *, pinned: str | None = None) -> TreeForecaster:
    """Load a version of the model of demand, the default where None.

    Raises
    ------
    Fatal
        As ``load_champion``.
    """
    return _read_forecaster(models_dir, read_manifest(models_dir, pinned).entry(DEMAND_FORECAST, version))


def read_forecaster(entry: Entry, data: bytes) -> TreeForecaster:
    """Read a version of the model of demand from the bytes that ``checked_bytes`` returned of it.

    Raises
    ------
    Fatal
        If they hold no such model.
    """
    with _holding_no_model(entry):
        forecaster = forecaster_of(_content(data), sha256=entry.sha256)
        if (forecaster.name, forecaster.version) != (entry.name, entry.version):
            holds = f"{forecaster.name} {forecaster.version}"
            message = f"{entry.name} {entry.version}: {entry.file} holds {holds}; {again(entry)}"
            raise Fatal(message)
        forecaster.try_out()  # compiles what isn't yet, so that the first trigger doesn't wait for it
        return forecaster


def load_released_forecaster(
    models_dir: Path, version: str, sha256: str, *, pinned: str | None = None
) -> TreeForecaster:
    """Load the version of the model of demand that a ``model-released`` names.

    Raises
    ------
    ModelRefusedError
        As ``load_released``.
    """
    with _refusing(DEMAND_FORECAST, version):
        return _read_forecaster(models_dir, _released(models_dir, DEMAND_FORECAST, version, sha256, pinned))


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
        if entry.name == DEMAND_FORECAST:
            _read_forecaster(models_dir, entry)
        else:
            _load(models_dir, entry)
    except Fatal as error:
        return str(error).removeprefix(f"{entry.name} {entry.version}: ")
    return None


@contextmanager
def _refusing(name: str, version: str) -> Iterator[None]:
    try:
        yield
    except Fatal as error:
        raise ModelRefusedError(str(error).removeprefix(f"{name} {version}: ")) from error


def _released(models_dir: Path, name: str, version: str, sha256: str, pinned: str | None) -> Entry:
    entry = read_manifest(models_dir, pinned).entry(name, version)
    if entry.sha256 != sha256.lower():
        message = f"{FILE} says that its digest is {entry.sha256}, and {sha256.lower()[:80]} was released"
        raise ModelRefusedError(message)
    return entry


def _load(models_dir: Path, entry: Entry) -> TreeScorer:
    return _read(models_dir, entry)[1]


def _read(models_dir: Path, entry: Entry) -> tuple[Any, TreeScorer]:
    data = checked_bytes(models_dir, entry)
    with _holding_no_model(entry):
        content = _content(data)
        return content, _scorer(entry, content)


def _read_forecaster(models_dir: Path, entry: Entry) -> TreeForecaster:
    return read_forecaster(entry, checked_bytes(models_dir, entry))


class _PlainData(pickle.Unpickler):
    """Reads numbers, text and lists of them, and nothing that would be called to be made."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - overrides
        message = f"{module}.{name} is no plain data"
        raise pickle.UnpicklingError(message)


def _content(data: bytes) -> Any:  # noqa: ANN401 - what a file holds
    """Return what an artefact holds. What is made here is plain data, which needn't wait for joblib's own unpickler."""
    try:
        return _PlainData(io.BytesIO(zlib.decompress(data))).load()
    except (zlib.error, pickle.UnpicklingError, EOFError):
        return joblib.load(io.BytesIO(data))


@contextmanager
def _holding_no_model(entry: Entry) -> Iterator[None]:
    """Say in one line what a file holds in place of a model."""
    try:
        yield
    except Fatal:
        raise
    except Exception as error:  # whatever unpickling, reading or trying it raises: a release must not stop a stream
        what = str(error) if isinstance(error, UnreadableTreesError) else type(error).__name__
        message = f"{entry.name} {entry.version}: {entry.file} holds no model: {what}; {again(entry)}"
        raise Fatal(message) from error


def _scorer(entry: Entry, content: Any) -> TreeScorer:  # noqa: ANN401 - what a file holds
    names = tuple(feature.name for feature in entry.features)
    scorer = scorer_of(content, sha256=entry.sha256)
    if (scorer.name, scorer.version, scorer.features) != (entry.name, entry.version, names):
        message = f"{entry.name} {entry.version}: {entry.file} holds {scorer.name} {scorer.version}; {again(entry)}"
        raise Fatal(message)
    scorer.try_out()
    return scorer
