"""What keeps an artefact from being written, found before the minutes in which it is made."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from smartblood.errors import Fatal
from smartblood.plain_json import json_text
from smartblood.registry.builders import BUILDERS
from smartblood.registry.checks import installed, libraries_of
from smartblood.registry.manifest import FILE, Entry, Manifest, read_manifest
from smartblood.registry.writing import ELSEWHERE, file_of


def check_place(models_dir: Path, models: Collection[str], version: str, *, pinned: str | None = None) -> None:
    """Check that a version of each of ``models`` can be written into a folder, which is left as it was.

    Parameters
    ----------
    pinned : str, optional
        The digest that the manifest must have, where there is one.

    Raises
    ------
    Fatal
        If the folder takes no file, its manifest can't be read or is another one, or it lists this version as one that
        is computed otherwise, or was made with other libraries.
    """
    for entry in _there(models_dir, models, version, pinned):
        libraries = {library: str(installed(library)) for library in libraries_of(entry.name)}
        if entry.features != BUILDERS[entry.name] or entry.libraries != libraries:
            raise _is_another(models_dir, entry, "for other features, or with other libraries than those installed")
    for model in models:
        for file in (models_dir / FILE, models_dir / file_of(model, version)):
            try:
                with tempfile.TemporaryFile(dir=_folder(file)):
                    pass
            except OSError as error:
                message = f"{file} can't be written: {error.strerror}; {ELSEWHERE}"
                raise Fatal(message) from error


def check_same(models_dir: Path, model: str, version: str, told: Mapping[str, Any]) -> None:
    """Check that a version, where it is there already, was made from what it is to be made from now.

    Parameters
    ----------
    told : mapping
        Of what its training data is to say, as much as is known by now; None of what isn't to be in it.

    Raises
    ------
    Fatal
        If it was made from something else.
    """
    told = json.loads(json_text(dict(told)))  # lists for tuples, as the manifest has them
    for entry in _there(models_dir, [model], version, None):
        if "source" not in entry.training_data:  # nobody noted what it was made from
            continue
        for name, value in told.items():
            found = entry.training_data.get(name)
            if not _agrees(value, found):
                raise _is_another(models_dir, entry, f"with {name} {_shown(found)}, and not {_shown(value)}")


def _there(models_dir: Path, models: Collection[str], version: str, pinned: str | None) -> list[Entry]:
    manifest = read_manifest(models_dir, pinned) if (models_dir / FILE).exists() else Manifest({}, ())
    return [entry for entry in manifest.entries if entry.name in models and entry.version == version]


def _folder(file: Path) -> Path:
    """Return where a file, or the first folder that it needs, is to be made."""
    return next(folder for folder in file.parents if folder.exists())


def _agrees(told: Any, found: Any) -> bool:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(told, dict) and isinstance(found, dict):
        return all(_agrees(value, found.get(name)) for name, value in told.items())
    return bool(told == found)


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return json_text(value, indent=None)[:80]


def _is_another(models_dir: Path, entry: Entry, how: str) -> Fatal:
    return Fatal(
        f"{entry.name} {entry.version} is in {models_dir / FILE} already, made {how}; released artefacts don't change: "
        f"give another --version"
    )
