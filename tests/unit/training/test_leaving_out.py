"""Each district is judged by what was fitted without it."""

from __future__ import annotations

import numpy as np
import pytest

from features.districts import DISTRICTS
from features.vectors import AVAILABILITY, MATCH
from smartblood.training import leaving_out
from smartblood.training.card import districts_of
from smartblood.training.examples import DISTRICT_CODE
from smartblood.training.judging import auc
from smartblood.training.leaving_out import leave_out
from smartblood.training.replaying import of_world
from smartblood.training.teaching import TooFewError, split, teach
from smartblood.training.views import availability_view
from tests.unit.training.world import END, SMALL


@pytest.fixture(scope="module")
def parts():
    return split(of_world(SMALL, 3, END))


def test_nothing_of_the_district_is_fitted_and_it_alone_is_judged(parts, monkeypatch):
    fitted = []

    def watched(without, names, version, seed):
        fitted.append(without)
        return teach(without, names, version, seed)

    monkeypatch.setattr(leaving_out, "teach", watched)
    taught = teach(parts, [AVAILABILITY, MATCH], "0", 3)
    found = leave_out(parts, [AVAILABILITY], taught, 3)
    assert list(found) == [AVAILABILITY]
    assert len(fitted) == len(found[AVAILABILITY]) > 1
    for name, without in zip(found[AVAILABILITY], fitted, strict=True):
        code = DISTRICT_CODE[name]
        for part in (without.fit, without.calibrate, without.fit_match, without.calibrate_match):
            assert part.at.size
            assert not ((part.district == code) | (part.home == code)).any()
        test = parts.test.take(parts.test.district == code)
        told = found[AVAILABILITY][name]
        assert (told["n"], told["yes"]) == (test.at.size, np.count_nonzero(test.accepted))
        seen = taught[AVAILABILITY].learned.scorer.predict(availability_view(test))
        assert told["auc_having_seen_it"][0] == pytest.approx(auc(test.accepted, seen), abs=1e-4)
        assert told["auc"][1] <= told["auc"][0] <= told["auc"][2]
    table = districts_of({"left_out": found[AVAILABILITY]})
    assert len(table) == 5 + len(found[AVAILABILITY])


def test_a_district_beside_which_too_little_is_left_is_passed_over(parts, monkeypatch):
    taught = teach(parts, [AVAILABILITY], "0", 3)

    def nothing(*_):
        reason = "too little"
        raise TooFewError(reason)

    monkeypatch.setattr(leaving_out, "teach", nothing)
    assert leave_out(parts, [AVAILABILITY], taught, 3) == {}


def test_every_district_is_tried(parts, monkeypatch):
    monkeypatch.setattr(leaving_out, "LABELS_MIN", 0)
    monkeypatch.setattr(leaving_out, "_figures", lambda *_: {})
    taught = teach(parts, [AVAILABILITY], "0", 3)
    assert list(leave_out(parts, [AVAILABILITY], taught, 3)[AVAILABILITY]) == [one.name for one in DISTRICTS]
