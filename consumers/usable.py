"""Which released versions of a model can be used: loaded once each, and refused once each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

from consumers.releases import Release
from features.scoring import Model, ModelRefusedError

Version = TypeVar("Version", bound=Model)


class Usable(Generic[Version]):
    """The versions of one model that can be used.

    Parameters
    ----------
    default : Model
        Is there already, and is used where no other can be.
    load : callable
        Returns the model of a release, or raises ``ModelRefusedError``; anything else that it raises goes on, and the
        release is asked for again the next time.

    Attributes
    ----------
    refused : dict of Release to str
        What is released and can't be used, and why; it isn't loaded again while it is released.
    """

    def __init__(self, default: Version, load: Callable[[Release], Version]) -> None:
        self._default = default
        self._load = load
        self._loaded: dict[Release, Version] = {}
        self.refused: dict[Release, str] = {}

    def of(self, release: Release) -> Version | None:
        """Return the model of a release; None where it can't be used."""
        if (release.version, release.sha256) == (self._default.version, self._default.sha256):
            return self._default
        if release not in self._loaded and release not in self.refused:
            try:
                self._loaded[release] = self._load(release)
            except ModelRefusedError as error:
                self.refused[release] = str(error)
        return self._loaded.get(release)

    def first(self, releases: Iterable[Release]) -> Version:
        """Return the first that can be used, the default where none can: later ones aren't loaded."""
        usable = (self.of(one) for one in releases)
        return next((one for one in usable if one is not None), self._default)

    def forget_others(self, released: Collection[Release]) -> None:
        """Let go of what isn't released any more."""
        self._loaded = {one: version for one, version in self._loaded.items() if one in released}
        self.refused = {one: why for one, why in self.refused.items() if one in released}
