"""Answers as values of ``matches`` and ``match-previews``.

They are written in Avro here, from columns: a dict for each offer and fastavro over it would be a third of all that an
answer costs. Fields stand in the schema's order; a test holds this and the codec together.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from consumers.matching.asking import Asked
from consumers.matching.offers import Matched, Offers, Shadow
from features.behaved import Behaviour
from features.compatibility import why_nobody
from features.confidence import confidence_of
from features.eligibility import Procedure, procedure_of
from features.index import DonorIndex
from features.outcomes import HOURS
from features.reach import Found
from features.reasons import reasons_for
from features.rule_set import RuleSet
from features.scoring import Panel
from features.vectors import AVAILABILITY_FEATURES, MATCH_FEATURES, RELIABILITY_FEATURES
from schemas.avro import END, NULL, array, bytes_, long, text
from schemas.catalogue import latest_schema
from schemas.codec import Codec
from schemas.identifiers import derived_event_id
from schemas.records import Event

ALERTS_SEEN = AVAILABILITY_FEATURES.index("alerts_seen")
ANSWER_HOURS = RELIABILITY_FEATURES.index("average_response_time")

MATCHES, PREVIEWS = "matches", "match-previews"

SOME = long(1)
"""The branch of a union with null that isn't null."""

_SCORES = np.dtype(
    [
        ("scores", "<f8", 6),
        ("group", "u1"),
        ("tier", "u1"),
        ("n_features", "u1"),
        ("features", "<f8", len(MATCH_FEATURES)),
        ("end", "u1"),
    ]
)
"""A match from ``match_score`` to ``features``: all of one length, since small integers take one byte."""

_EXPLORING = np.dtype([("is", "u1"), ("explored", "u1"), ("has", "u1"), ("propensity", "<f8")])
"""What follows the reasons of a match: two unions. After them come the scores of shadows, another one."""

_TOLD = np.dtype(
    [
        ("has_within", "u1"),
        ("n_within", "u1"),
        ("within", "<f8", len(HOURS)),
        ("end_within", "u1"),
        ("has_behaviour", "u1"),
        ("n_behaviour", "u1"),
        ("behaviour", "<f4", len(Behaviour._fields)),
        ("end", "u1"),
    ]
)
"""What follows the scores of shadows: two unions with arrays. A branch and a small count are twice themselves."""

_PLACE = struct.Struct("<2d")
_REACH = _SCORE = struct.Struct("<d")
_SYMBOLS = {
    field["name"]: {symbol: long(code) for code, symbol in enumerate(field["type"]["symbols"])}
    for field in latest_schema(MATCHES).load()["fields"]
    if field["name"] in {"blood_group", "component", "urgency"}
}


def topic_of(asked: Asked) -> str:
    """Return the topic that carries the answer."""
    return MATCHES if asked.recorded else PREVIEWS


class Answers:
    """Writes what was matched.

    Parameters
    ----------
    codec : Codec
        Says under which schema ids.
    index : DonorIndex
    rules : RuleSet
    """

    def __init__(self, codec: Codec, index: DonorIndex, rules: RuleSet) -> None:
        self._codec = codec
        self._index = index
        self._frames: dict[str, bytes] = {}
        self._intervals_us = _intervals_us(rules)
        self._rule_set_version = text(rules.version)

    def seen(self, offsets: Mapping[int, int]) -> bytes:
        """Return the end that all answers of a batch share: which donor states were seen."""
        return array([long(partition) + long(n) for partition, n in sorted(offsets.items())])

    def empty(self, asked: Asked, panel: Panel, seen: bytes) -> bytes:
        """Return the answer where nobody was looked for; ``panel`` would have scored them."""
        return self._value(asked, None, [], asked.empty_because, self._made_by(panel) + seen)

    def matched(self, asked: Sequence[Asked], answering: Sequence[Panel], matched: Matched, seen: bytes) -> list[bytes]:
        """Return the answers to requests that were matched, in their order.

        Parameters
        ----------
        asked : sequence of Asked
        answering : sequence of Panel
            For each request the versions that scored its donors.
        matched : Matched
        seen : bytes
            See ``seen``.
        """
        offers = list(self._offers(asked, matched.offers))
        start = matched.offers.start.tolist()
        return [
            self._value(
                one,
                found,
                offers[start[i] : start[i + 1]],
                None if start[i + 1] > start[i] else _nobody(one.request, found),
                self._made_by(panel) + seen,
            )
            for i, (one, panel, found) in enumerate(zip(asked, answering, matched.found, strict=True))
        ]

    def _made_by(self, panel: Panel) -> bytes:
        """Return by which rules and models an answer was made."""
        return self._rule_set_version + array([text(one.name) + text(one.version) + text(one.sha256) for one in panel])

    def _value(
        self, asked: Asked, found: Found | None, offers: list[bytes], empty_because: str | None, end: bytes
    ) -> bytes:
        request, topic = asked.request, topic_of(asked)
        event_id = derived_event_id(topic, asked.answered.event_id)
        counts = (found.n_considered, found.n_compatible, found.n_eligible, found.n_askable) if found else (0, 0, 0, 0)
        return b"".join(
            (
                self._frame(topic),
                _id(event_id),
                long(asked.answered.occurred_at),
                long(request["request_id"]),
                _id(asked.answered.event_id),
                long(request["hospital_id"]),
                bytes_(request["district"].encode()),
                _PLACE.pack(request["latitude"], request["longitude"]),
                long(asked.wave),
                *(_SYMBOLS[name][request[name]] for name in ("blood_group", "component")),
                long(request["units_required"]),
                _SYMBOLS["urgency"][request["urgency"]],
                long(request["required_by"]),
                _REACH.pack(found.reach_km if found else 0.0),
                *map(long, counts),
                array(offers),
                NULL if empty_because is None else SOME + text(empty_because),
                end,
            )
        )

    def _frame(self, topic: str) -> bytes:
        """Return what a value of ``topic`` begins with: it names the schema."""
        frame = self._frames.get(topic)
        if frame is None:
            frame = self._frames[topic] = self._codec.frame(topic)
        return frame

    def _offers(self, asked: Sequence[Asked], offers: Offers) -> Iterable[bytes]:
        """Yield all offers of a batch; columns are gathered for the whole batch at once."""
        columns, row = self._index.columns, offers.row
        rank = np.arange(len(row)) - np.repeat(offers.start[:-1], np.diff(offers.start)) + 1
        scores, exploring = _scores(self._index, offers), _exploring(offers)
        shadows, told = _shadows(offers), _told(offers)
        facts = zip(
            rank.tolist(),
            columns.donor_id[row].tolist(),
            offers.tier.tolist(),
            columns.total_donations[row].tolist(),
            offers.distance_km.tolist(),
            self._interval_ended_at(asked, offers),
            columns.answer_times[row].tolist(),
            offers.seen.reliability_rows[:, ANSWER_HOURS].tolist(),
            strict=True,
        )
        n_scores, n_exploring, n_told = _SCORES.itemsize, _EXPLORING.itemsize, _TOLD.itemsize
        for i, (rank_of, donor_id, *reasons) in enumerate(facts):
            said = [text(reason) for reason in reasons_for(*reasons)]
            yield b"".join(
                (
                    long(rank_of),
                    long(donor_id),
                    scores[i * n_scores : (i + 1) * n_scores],
                    long(len(said)),
                    *said,
                    END,
                    exploring[i * n_exploring : (i + 1) * n_exploring],
                    shadows[i] if shadows else NULL,
                    told[i * n_told : (i + 1) * n_told],
                )
            )

    def _interval_ended_at(self, asked: Sequence[Asked], offers: Offers) -> list[int | None]:
        """Return since when each may give, where that is the end of an interval after the last donation.

        The end of a deferral is health data, and isn't told.
        """
        row, columns = offers.row, self._index.columns
        by_apheresis = np.repeat(
            [procedure_of(one.request["component"]) is Procedure.APHERESIS for one in asked], np.diff(offers.start)
        )
        from_at = np.where(by_apheresis, columns.apheresis_from[row], columns.whole_blood_from[row])
        since_us = from_at - columns.last_donation_at[row]
        is_interval = np.where(
            by_apheresis,
            np.isin(since_us, self._intervals_us[Procedure.APHERESIS]),
            np.isin(since_us, self._intervals_us[Procedure.WHOLE_BLOOD]),
        )
        return [at if told else None for at, told in zip(from_at.tolist(), is_interval.tolist(), strict=True)]


def _scores(index: DonorIndex, offers: Offers) -> bytes:
    """Return ``_SCORES`` of all offers, one after the other."""
    columns, row, seen = index.columns, offers.row, offers.seen
    scores = np.empty(len(row), _SCORES)
    for place, column in enumerate(
        (
            offers.score,
            confidence_of(offers.score, seen.availability_rows[:, ALERTS_SEEN]),
            seen.availability,
            seen.reliability,
            offers.response_time_hours,
            offers.distance_km,
        )
    ):
        scores["scores"][:, place] = column
    # Codes, tiers and the number of features are below 64: zigzag, they are twice themselves.
    scores["group"] = 2 * columns.group[row]
    scores["tier"] = 2 * offers.tier
    scores["n_features"] = 2 * len(MATCH_FEATURES)
    scores["features"] = seen.match_rows
    scores["end"] = 0
    return scores.tobytes()


def _exploring(offers: Offers) -> bytes:
    """Return ``_EXPLORING`` of all offers, one after the other."""
    exploring = np.zeros(len(offers.row), _EXPLORING)
    exploring["is"] = exploring["has"] = SOME[0]
    exploring["explored"] = offers.explored
    exploring["propensity"] = offers.propensity
    return exploring.tobytes()


def _shadows(offers: Offers) -> list[bytes]:
    """Return for each offer what the shadows say, as the union of null and an array; nothing where there are none."""
    if not offers.shadows:
        return []
    columns = [_shadow(shadow) for shadow in offers.shadows]
    said = ([one for one in of_offer if one] for of_offer in zip(*columns, strict=True))
    return [SOME + array(of_offer) if of_offer else NULL for of_offer in said]


def _shadow(shadow: Shadow) -> Iterator[bytes]:
    """Return what one shadow says of each offer, in no bytes where it could say nothing."""
    head, scores = text(shadow.scorer.name) + text(shadow.scorer.version), shadow.score.tolist()
    withins = repeat(None) if shadow.answers_within is None else shadow.answers_within.tolist()
    for score, within in zip(scores, withins, strict=False):
        if math.isnan(score):
            yield b""
        elif within is None:
            yield head + _SCORE.pack(score) + NULL
        else:
            yield head + _SCORE.pack(score) + SOME + array([_SCORE.pack(one) for one in within])


def _told(offers: Offers) -> bytes:
    """Return ``_TOLD`` of all offers, one after the other."""
    told = np.zeros(len(offers.row), _TOLD)
    told["has_within"] = told["has_behaviour"] = SOME[0]
    told["n_within"], told["n_behaviour"] = 2 * len(HOURS), 2 * len(Behaviour._fields)
    told["within"], told["behaviour"] = offers.answers_within, offers.behaviour
    return told.tobytes()


def _id(event_id: str) -> bytes:
    return long(len(event_id)) + event_id.encode()


def _intervals_us(rules: RuleSet) -> dict[Procedure, NDArray[np.int64]]:
    """Return the intervals after a donation, microseconds."""
    limits = rules.limits
    of_whole_blood = (
        limits.whole_blood_to_whole_blood_male_us,
        limits.whole_blood_to_whole_blood_us,
        limits.apheresis_to_whole_blood_us,
        limits.unreturned_apheresis_to_whole_blood_us,
    )
    of_apheresis = (limits.whole_blood_to_apheresis_us, limits.apheresis_to_apheresis_us)
    return {
        Procedure.WHOLE_BLOOD: np.array(of_whole_blood, np.int64),
        Procedure.APHERESIS: np.array(of_apheresis, np.int64),
    }


def _nobody(request: Event, found: Found) -> str:
    """Say why nobody is offered."""
    why = why_nobody(request)
    if why is not None:
        return why
    within = f"within {found.reach_km:g} km"
    if found.n_considered == 0:
        return f"no donor is registered {within}"
    if found.n_compatible == 0:
        return f"nobody {within} has a compatible group"
    if found.n_eligible == 0:
        return f"nobody of a compatible group {within} is eligible now and until required_by"
    unwilling = (
        "not willing to give by apheresis, " if procedure_of(request["component"]) is Procedure.APHERESIS else ""
    )
    who = f"those who are eligible are {unwilling}away, not reachable, promised or asked already"
    return f"nobody is askable {within}: {who}"
