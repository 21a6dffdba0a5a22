"""What is checked of an artefact before it is deserialised; nothing that evaluates it is imported here."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from smartblood.errors import Fatal
from smartblood.registry.builders import BUILDERS, DEMAND_FORECAST
from smartblood.registry.manifest import FILE, Entry

LIBRARIES = ("lightgbm", "scikit-learn", "numpy")
"""Libraries in whose versions an artefact was made; with another version nobody has tested it."""

_MORE_LIBRARIES = {DEMAND_FORECAST: ("scipy", "holidays")}  # quantiles and calendars of a forecast are theirs

AGAIN = "take the artefact from the release anew, or train it with `smartblood train {name}`"


def checked_bytes(models_dir: Path, entry: Entry) -> bytes:
    """Return an artefact's bytes, the very bytes that are deserialised then, after all that can be checked before.

    Raises
    ------
    Fatal
        If its features, the libraries that it was made with or its digest are not what they should be, or it can't be
        read.
    """
    _check_features(entry)
    _check_libraries(entry)
    path = models_dir / entry.file
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # the latter where it is no name that a file can have
        why = error.strerror if isinstance(error, OSError) else error
        message = f"{entry.name} {entry.version}: {path} can't be read: {why}; {again(entry)}"
        raise Fatal(message) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.sha256:
        message = (
            f"{entry.name} {entry.version}: {path} has the digest {digest}, where {FILE} says {entry.sha256}; "
            f"{again(entry)}"
        )
        raise Fatal(message)
    return data


def _check_features(entry: Entry) -> None:
    built = BUILDERS.get(entry.name)
    if built is None:
        message = f"{entry.name} {entry.version}: nothing here computes features for this model; {again(entry)}"
        raise Fatal(message)
    if entry.features != built:
        differing = _first_difference([tuple(one) for one in entry.features], [tuple(one) for one in built])
        message = (
            f"{entry.name} {entry.version}: its features aren't those that are computed for it "
            f"({differing}); {again(entry)}"
        )
        raise Fatal(message)


def _first_difference(listed: list[tuple[str, ...]], built: list[tuple[str, ...]]) -> str:
    for number, (one, other) in enumerate(zip(listed, built, strict=False), 1):
        if one != other:
            return f"number {number} is {' '.join(one)!r} there, {' '.join(other)!r} here"
    return f"{len(listed)} there, {len(built)} here"


def _check_libraries(entry: Entry) -> None:
    for library in libraries_of(entry.name):
        made_with, here = entry.libraries.get(library), installed(library)
        if made_with != here:
            message = (
                f"{entry.name} {entry.version}: it was made with {library} {made_with}, and {here} is installed; "
                f"install the locked versions with `make install`, or {again(entry)}"
            )
            raise Fatal(message)


def libraries_of(model: str) -> tuple[str, ...]:
    """Return in whose versions an artefact of a model is made, and read."""
    return (*LIBRARIES, *_MORE_LIBRARIES.get(model, ()))


def installed(library: str) -> str | None:
    """Return the version of a library that is installed, None where it isn't."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def again(entry: Entry) -> str:
    """Return what to do about an artefact that is refused."""
    return AGAIN.format(name=entry.name)
