"""Which version of ``donor_seeker_match`` answers a request, and which only watch.

Releases are followed, and take effect between two batches. A version that can't be used has no say: who had it before
keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from consumers.releases import TOPIC, Release, Releases
from consumers.stores import line
from consumers.validation import checked, not_null
from features.scoring import ModelRefusedError, Scorer
from features.vectors import MATCH_FEATURES
from schemas.codec import Codec
from schemas.errors import InvalidRecord
from schemas.records import Record

MODEL = "donor_seeker_match"

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


class Models:
    """The versions that have a say.

    Parameters
    ----------
    codec : Codec
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
    refused : dict of str to str
        Versions that are released but can't be used, and why.
    """

    def __init__(self, codec: Codec, default: Scorer, load: Load = no_models) -> None:
        _check_features(default)
        self._codec = codec
        self._default = default
        self._load = load
        self._releases = Releases()
        self._loaded: dict[Release, Scorer] = {}
        self._failed: dict[Release, str] = {}
        self._is_news = False
        self.champion = default
        self.challengers: list[tuple[Scorer, float]] = []
        self.shadows: list[Scorer] = []
        self.refused: dict[str, str] = {}

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in records of ``model-released``; return a line for each that breaks the contract."""
        alarms = []
        for record in records:
            try:
                event = checked(record, self._codec.decode(TOPIC, not_null(record)))
            except InvalidRecord as error:
                alarms.append(line(record, error.reason))
                continue
            if self._releases.take(record, event) and event["model"] == MODEL:
                self._is_news = True
        return alarms

    def settle(self) -> list[str]:
        """Let what was released take effect; return a line for each version that can't be used."""
        if not self._is_news:
            return []
        self._is_news = False
        known = set(self._failed)
        usable = (self._usable(one) for one in self._releases.champions(MODEL))
        self.champion = next((scorer for scorer in usable if scorer is not None), self._default)
        challengers = [(self._usable(one), one.share) for one in self._releases.challengers(MODEL)]
        self.challengers = [(scorer, share) for scorer, share in challengers if scorer is not None]
        shadows = [self._usable(one) for one in self._releases.shadows(MODEL)]
        self.shadows = [scorer for scorer in shadows if scorer is not None]
        self._forget_others()
        return [f"{one.model} {one.version} is refused: {why}" for one, why in self._failed.items() if one not in known]

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
        place = _place(request_id)
        for scorer, share in self.challengers:
            if place < share:
                return scorer
            place -= share
        return self.champion

    def _usable(self, release: Release) -> Scorer | None:
        if release in self._failed:
            return None
        if release not in self._loaded:
            try:
                scorer = self._load(release)
                _check_features(scorer)
            except ModelRefusedError as error:
                self._failed[release] = str(error)
                return None
            self._loaded[release] = scorer
        return self._loaded[release]

    def _forget_others(self) -> None:
        """Let go of versions that have no say any more."""
        last = {
            *self._releases.champions(MODEL),
            *self._releases.challengers(MODEL),
            *self._releases.shadows(MODEL),
        }
        self._loaded = {one: scorer for one, scorer in self._loaded.items() if one in last}
        self._failed = {one: why for one, why in self._failed.items() if one in last}
        self.refused = {one.version: why for one, why in self._failed.items()}


def _place(request_id: int) -> float:
    """Return where a request stands between 0 and 1: by its id alone, and evenly."""
    digest = hashlib.sha256(f"challenger:{request_id}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def _check_features(scorer: Scorer) -> None:
    if tuple(scorer.features) != MATCH_FEATURES:
        message = f"{scorer.name} {scorer.version} takes {scorer.features}, matching gives {MATCH_FEATURES}"
        raise ModelRefusedError(message)
