"""Which version of each model of donors answers a request, and which only watch.

Releases are followed, and take effect between two batches. A version that can't be used has no say: who had it before
keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from consumers.releases import Release, Releases
from consumers.usable import Usable
from features.scoring import ModelRefusedError, Panel, Scorer
from features.vectors import FEATURES
from schemas.codec import Codec
from schemas.records import Record

Load = Callable[[Release], Scorer]
"""Returns the scorer of a release, or raises ``ModelRefusedError``."""


def no_models(release: Release) -> Scorer:
    """Refuse: where nothing can be loaded, the version that is there stays.

    Raises
    ------
    ModelRefusedError
        Always.
    """
    message = f"nothing loads {release.version} here"
    raise ModelRefusedError(message)


class Versions:
    """The versions of one model that have a say.

    Parameters
    ----------
    default : Scorer
        Champion while no release names one that can be used.
    load : callable
        See ``Load``; it may take as long as a batch may wait.

    Attributes
    ----------
    champion : Scorer
    challengers : list of tuple of Scorer and float
        Each with its share of the requests.
    shadows : list of Scorer
    """

    def __init__(self, default: Scorer, load: Load) -> None:
        _check_features(default)
        self._default = default
        self._usable = Usable(default, partial(_checked, load))
        self.champion = default
        self.challengers: list[tuple[Scorer, float]] = []
        self.shadows: list[Scorer] = []

    @property
    def refused(self) -> dict[str, str]:
        """Versions that are released but can't be used, and why."""
        return {one.version: why for one, why in self._usable.refused.items()}

    def settle(self, releases: Releases) -> list[str]:
        """Let what was released take effect; return a line for each version that can't be used."""
        usable, known, name = self._usable, set(self._usable.refused), self._default.name
        self.champion = usable.first(releases.champions(name))
        challengers = [(usable.of(one), one.share) for one in releases.challengers(name)]
        self.challengers = [(scorer, share) for scorer, share in challengers if scorer is not None]
        shadows = [usable.of(one) for one in releases.shadows(name)]
        self.shadows = [scorer for scorer in shadows if scorer is not None]
        usable.forget_others({*releases.champions(name), *releases.challengers(name), *releases.shadows(name)})
        return [
            f"{one.model} {one.version} is refused: {why}" for one, why in usable.refused.items() if one not in known
        ]

    def in_use(self) -> list[tuple[Scorer, str]]:
        """Return each version that has a say, with its role."""
        return [
            (self.champion, "champion"),
            *((scorer, "challenger") for scorer, _ in self.challengers),
            *((scorer, "shadow") for scorer in self.shadows),
        ]

    def answering(self, request_id: int) -> Scorer:
        """Return the version that answers a request: always the same while the same versions have a say."""
        if not self.challengers:
            return self.champion
        place = _place(self._default.name, request_id)
        for scorer, share in self.challengers:
            if place < share:
                return scorer
            place -= share
        return self.champion


class Models:
    """The models of donors, and which version of each has a say.

    Parameters
    ----------
    codec : Codec
    default : Panel
        Champions while no release names others that can be used.
    load : callable
        See ``Load``.
    """

    def __init__(self, codec: Codec, default: Panel, load: Load = no_models) -> None:
        self._codec = codec
        self._releases = Releases()
        self._versions = [Versions(scorer, load) for scorer in default]
        self._by_name = {scorer.name: versions for scorer, versions in zip(default, self._versions, strict=True)}
        self._news: set[str] = set()

    @property
    def champions(self) -> Panel:
        """The champion of each model."""
        return Panel(*(versions.champion for versions in self._versions))

    @property
    def shadows(self) -> list[Scorer]:
        """All versions that only say what they think."""
        return [scorer for versions in self._versions for scorer in versions.shadows]

    @property
    def refused(self) -> dict[tuple[str, str], str]:
        """By model and version, those that are released but can't be used, and why."""
        return {
            (name, version): why
            for name, versions in self._by_name.items()
            for version, why in versions.refused.items()
        }

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in records of ``model-released``; return a line for each that breaks the contract."""
        news, alarms = self._releases.follow(records, self._codec)
        self._news |= news & self._by_name.keys()
        return alarms

    def settle(self) -> list[str]:
        """Let what was released take effect; return a line for each version that can't be used."""
        alarms = []
        for name in sorted(self._news):
            alarms += self._by_name[name].settle(self._releases)
            self._news.discard(name)  # only now: where that raises, it is news still
        return alarms

    def in_use(self) -> list[tuple[Scorer, str]]:
        """Return each version that has a say, with its role."""
        return [one for versions in self._versions for one in versions.in_use()]

    def answering(self, request_id: int) -> Panel:
        """Return the versions that answer a request together."""
        return Panel(*(versions.answering(request_id) for versions in self._versions))


def _place(model: str, request_id: int) -> float:
    """Return where a request stands between 0 and 1: by its id alone, evenly, and for each model anew."""
    digest = hashlib.sha256(f"challenger:{model}:{request_id}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def _checked(load: Load, release: Release) -> Scorer:
    scorer = load(release)
    _check_features(scorer)
    return scorer


def _check_features(scorer: Scorer) -> None:
    given = FEATURES.get(scorer.name)
    if tuple(scorer.features) != given:
        message = f"{scorer.name} {scorer.version} takes {scorer.features}, matching gives {given}"
        raise ModelRefusedError(message)
