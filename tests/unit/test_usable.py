"""Which released versions can be used: the same for donors' models and for the forecaster."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from consumers.releases import Release
from consumers.usable import Usable
from features.scoring import ModelRefusedError


class Named(NamedTuple):
    """A model as far as it is named."""

    version: str
    sha256: str
    name: str = "any"


class Shelf:
    """Loads versions, and remembers which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, release: Release) -> Named:
        self.asked.append(release.version)
        if release.version.startswith("bad"):
            raise ModelRefusedError(release.version)
        if release.version == "gone":
            raise OSError
        return Named(release.version, release.sha256)


DEFAULT = Named("0", "a")


def released(version: str, sha256: str = "a", offset: int = 1) -> Release:
    return Release(offset, "any", version, sha256, "CHAMPION", 0.0, 0)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_each_version_is_loaded_once_and_refused_once(shelf: Shelf) -> None:
    usable = Usable(DEFAULT, shelf)
    for _ in range(2):
        assert usable.of(released("1")) == Named("1", "a")
        assert usable.of(released("bad")) is None
    assert shelf.asked == ["1", "bad"]
    assert usable.refused == {released("bad"): "bad"}


def test_the_default_is_there_already_but_only_with_its_own_digest(shelf: Shelf) -> None:
    usable = Usable(DEFAULT, shelf)
    assert usable.of(released("0")) is DEFAULT
    assert shelf.asked == []
    assert usable.of(released("0", "b")) == Named("0", "b")


def test_the_first_that_can_be_used_is_taken_and_none_after_it_loaded(shelf: Shelf) -> None:
    usable = Usable(DEFAULT, shelf)
    assert usable.first([released("bad"), released("2"), released("1")]).version == "2"
    assert shelf.asked == ["bad", "2"]
    assert usable.first([released("bad")]) is DEFAULT
    assert usable.first([]) is DEFAULT


def test_what_is_released_again_after_it_was_gone_is_tried_again(shelf: Shelf) -> None:
    usable = Usable(DEFAULT, shelf)
    usable.first([released("bad"), released("1")])
    usable.forget_others([released("1")])
    assert usable.refused == {}
    usable.first([released("bad"), released("1")])
    assert shelf.asked == ["bad", "1", "bad"]


def test_what_fails_otherwise_is_no_refusal(shelf: Shelf) -> None:
    usable = Usable(DEFAULT, shelf)
    with pytest.raises(OSError):  # noqa: PT011 - as the shelf raises it
        usable.of(released("gone"))
    assert usable.refused == {}
    with pytest.raises(OSError):  # noqa: PT011 - as the shelf raises it
        usable.of(released("gone"))
