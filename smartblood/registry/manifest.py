"""``model_map.json``: what artefacts there are, and which version is a model's default."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from smartblood.errors import Fatal
from smartblood.plain_json import json_text
from smartblood.registry.builders import Feature
from smartblood.registry.shapes import check_plain, line_of, list_of, mapping_of, shown, version_of

FILE = "model_map.json"
FORMAT = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LAST_INSTANT = 253_402_300_799_999_999  # the last microsecond of the year 9999


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one model.

    Parameters
    ----------
    name, version : str
    file : str
        Path below the folder of the manifest, with forward slashes.
    sha256 : str
        Lower-case hex, of the file's bytes.
    features : tuple of Feature
        What the model takes, in order.
    libraries : mapping of str to str
        Versions with which it was trained: lightgbm, scikit-learn, numpy.
    training_data, metrics : mapping
        For people.
    reference : mapping
        How each feature was spread among the alerts that it was judged on: what drift is measured against, as
        ``features.drift`` has it. Empty where nobody noted it.
    """

    name: str
    version: str
    file: str
    sha256: str
    features: tuple[Feature, ...]
    libraries: dict[str, str]
    training_data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    reference: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as JSON data."""
        return {
            "name": self.name,
            "version": self.version,
            "file": self.file,
            "sha256": self.sha256,
            "features": [feature._asdict() for feature in self.features],
            "libraries": self.libraries,
            "training_data": self.training_data,
            "metrics": self.metrics,
            "reference": self.reference,
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """All artefacts of a folder: the default version of each model, and every version."""

    defaults: dict[str, str]
    entries: tuple[Entry, ...]

    def entry(self, name: str, version: str | None = None) -> Entry:
        """Return a version of a model, the default where none is named.

        Raises
        ------
        Fatal
            If there is none.
        """
        wanted = self.defaults.get(name) if version is None else version
        for entry in self.entries:
            if (entry.name, entry.version) == (name, wanted):
                return entry
        what = f"default version of {name}" if version is None else f"{name} {version}"
        message = f"{FILE} has no {what}: train it with `smartblood train {name}`, or set SMARTBLOOD_MODELS_DIR"
        raise Fatal(message)

    def with_entry(self, entry: Entry, *, as_default: bool) -> Manifest:
        """Return the manifest with one version more, or in place of the same one.

        It becomes the default ``as_default``, or where its model has none yet: a worker that is started again must not
        answer by a version that nobody released.
        """
        others = [other for other in self.entries if (other.name, other.version) != (entry.name, entry.version)]
        entries = sorted([*others, entry], key=lambda one: (one.name, one.version))
        default = entry.version if as_default else self.defaults.get(entry.name, entry.version)
        return Manifest({**self.defaults, entry.name: default}, tuple(entries))

    def as_text(self) -> str:
        """Return the text of the file."""
        data = {
            "format": FORMAT,
            "defaults": dict(sorted(self.defaults.items())),
            "models": [entry.as_json() for entry in self.entries],
        }
        return json_text(data) + "\n"


def read_manifest(models_dir: Path, pinned: str | None = None) -> Manifest:
    """Read the manifest of a folder.

    Parameters
    ----------
    models_dir : Path
    pinned : str, optional
        The digest that the manifest itself must have, SHA-256 in hex: so nothing that it names can be swapped.

    Raises
    ------
    Fatal
        If it isn't there, has another digest, or isn't what a manifest looks like.
    """
    path = models_dir / FILE
    try:
        content = path.read_bytes()
        if pinned is not None and (digest := hashlib.sha256(content).hexdigest()) != pinned.lower():
            message = f"{path} has the digest {digest}, where SMARTBLOOD_MODELS_MAP_SHA256 says {pinned.lower()}: "
            message += "take the file from the release anew, or set the digest of the one that you mean"
            raise Fatal(message)
    except FileNotFoundError:
        message = f"{path} isn't there: set SMARTBLOOD_MODELS_DIR, or make artefacts with `smartblood train`"
        raise Fatal(message) from None
    except OSError as error:
        message = f"{path} can't be read: {error.strerror}; set SMARTBLOOD_MODELS_DIR to a folder that can"
        raise Fatal(message) from error
    try:
        return manifest_of(content)
    except ValueError as error:
        message = f"{path} {error}; take the file from the release anew"
        raise Fatal(message) from error


def manifest_of(content: bytes) -> Manifest:
    """Return the manifest that a file holds.

    Raises
    ------
    ValueError
        If it holds none: "is no JSON: …" or "is no manifest: …".
    """
    try:
        data = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # the latter where it is nested too deeply to be read
        message = f"is no JSON: {error}"
        raise ValueError(message) from error
    try:
        return _manifest(data)
    except (KeyError, TypeError, ValueError) as error:
        message = f"is no manifest: {type(error).__name__}: {error}"
        raise ValueError(message) from error


def _manifest(data: Any) -> Manifest:  # noqa: ANN401 - whatever the file holds
    check_plain(data)
    data = mapping_of(data, "it")
    if data["format"] != FORMAT:
        message = f"format {shown(data['format'])}, where this program reads {FORMAT}"
        raise ValueError(message)
    entries = tuple(_entry(mapping_of(entry, "a model")) for entry in list_of(data["models"], "models"))
    if len({(entry.name, entry.version) for entry in entries}) != len(entries):
        message = "a version is listed twice"
        raise ValueError(message)
    defaults = _texts(data["defaults"], "defaults")
    return Manifest({name: version_of(version) for name, version in defaults.items()}, entries)


def _entry(data: dict[str, Any]) -> Entry:
    return Entry(
        name=line_of(data["name"], "name"),
        version=version_of(data["version"]),
        file=_file(line_of(data["file"], "file")),
        sha256=_digest(data["sha256"], "sha256"),
        features=tuple(_feature(feature) for feature in list_of(data["features"], "features")),
        libraries=_texts(data["libraries"], "libraries"),
        training_data=_training_data(data.get("training_data", {})),
        metrics=mapping_of(data.get("metrics", {}), "metrics"),
        reference=mapping_of(data.get("reference", {}), "reference"),
    )


def _file(file: str) -> str:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        message = f"file {shown(file)} lies outside the folder"
        raise ValueError(message)
    return str(path)


def _feature(data: Any) -> Feature:  # noqa: ANN401 - whatever the file holds
    given = _texts(data, "a feature")
    if given.keys() != set(Feature._fields):
        message = f"a feature has {shown(sorted(given))}, and should have {', '.join(Feature._fields)}"
        raise ValueError(message)
    return Feature(**given)


def _training_data(data: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the file holds
    """Return what is for people, after a look at what is worked with: its end, and the digests of whom it hears."""
    told = mapping_of(data, "training_data")
    ends_at = told.get("ends_at", 0)
    if not isinstance(ends_at, int) or isinstance(ends_at, bool) or not 0 <= ends_at <= _LAST_INSTANT:
        message = f"training_data.ends_at is {shown(ends_at)}, and should be microseconds since 1970"
        raise ValueError(message)
    for name, digest in mapping_of(told.get("hears", {}), "training_data.hears").items():
        _digest(digest, f"training_data.hears of {shown(name)}")
    return told


def _texts(data: Any, what: str) -> dict[str, str]:  # noqa: ANN401 - whatever the file holds
    given = mapping_of(data, what)
    return {line_of(name, f"a name in {what}"): line_of(text, f"{what}: {name}") for name, text in given.items()}


def _digest(data: Any, what: str) -> str:  # noqa: ANN401 - whatever the file holds
    if not isinstance(data, str) or not _DIGEST.fullmatch(data):
        message = f"{what} {shown(data)} is no digest"
        raise ValueError(message)
    return data
