"""What must be known of a donor, straight from the contract: over the set of all events, without memory."""

from __future__ import annotations

import math
from typing import Any

from consumers.donor_state.donor import DECAYED
from features.priors import AVAILABILITY, RELIABILITY, RESPONSE_TIME
from features.rule_items import names_item_52
from tests.unit.donor_state.histories import DAY, Sent

IST = 19_800_000_000
FOREVER = 10**9


def stamp(event: dict[str, Any]) -> tuple[int, str]:
    return event["occurred_at"], event["event_id"]


class Naive:
    """All facts of one history; ``None`` of an optional fact is the contract's null."""

    def __init__(self, history: list[Sent]) -> None:
        self.erased_at = max((one.timestamp_ms * 1000 for one in history if one.event is None), default=0)
        later = [one for one in history if one.event is not None and one.event["occurred_at"] > self.erased_at]
        self.latest_at = max((one.event["occurred_at"] for one in later), default=0)
        self.profiles = [
            one.event for one in later if one.topic == "donor-registered" and one.timestamp_ms * 1000 > self.erased_at
        ]
        self.donations = [one.event for one in later if one.topic == "donation-recorded"]
        self.responses = [one.event for one in later if one.topic == "donor-responded"]
        self.completed = [one for one in self.donations if one["outcome"] == "COMPLETED"]
        self.first_at: dict[int, int] = {}
        for one in [*self.donations, *self.responses]:
            if one.get("response") != "OPENED":  # which counts in no rate
                known_at = self.first_at.get(one["request_id"], one["occurred_at"])
                self.first_at[one["request_id"]] = min(known_at, one["occurred_at"])
        self.profile = max(self.profiles, key=stamp, default=None)
        if self.erased_at and self.profile is None:  # what is later waits
            self.donations, self.responses, self.completed = [], [], []

    def facts(self) -> dict[str, Any]:
        erased = bool(self.erased_at) and self.profile is None
        whole_blood, apheresis = self._given()
        return {
            "occurred_at": max(self.latest_at, self.erased_at) if erased else self.latest_at,
            "erased_at": self.erased_at if erased else None,
            "last_erased_at": self.erased_at or None,
            "registered_at": self.profile["occurred_at"] if self.profile else None,
            "blood_group": self.profile["blood_group"] if self.profile else "UNKNOWN",
            "weight_kg": self.profile["weight_kg"] if self.profile else None,
            "total_donations": self._total(),
            "last_whole_blood_at": max(whole_blood, default=None),
            "apheresis": [
                {"given_at": at, "red_cells_returned": apheresis[at]} for at in sorted(apheresis, reverse=True)[:24]
            ],
            "last_unreturned_apheresis_at": max((at for at, back in apheresis.items() if not back), default=None),
            "deferrals": self._deferrals(),
            "promises": self._promises(),
            "asked": self._asked(),
        }

    def rates(self) -> dict[str, float]:
        waves = [wave for wave in self._waves() if wave[0] is not None]
        hours = [
            max(answered_at - (notified_at or 0), 10**6) / 3.6e9 for notified_at, answered_at, _ in waves if answered_at
        ]
        kept, broken = (sum(1 for _, one in self._promises_kept() if one is outcome) for outcome in (True, False))
        seen = {name.removesuffix("_decayed"): value for name, value in self.faded().items()}
        alpha, beta = RELIABILITY.alpha + seen["kept"], RELIABILITY.beta + seen["promises"] - seen["kept"]
        return {
            "n_alerts": len(waves),
            "n_answers": len(hours),
            "n_promises": kept + broken,
            "n_kept": kept,
            "availability_score": (AVAILABILITY.alpha + seen["acceptances"]) / (sum(AVAILABILITY) + seen["alerts"]),
            "reliability_score": alpha / (alpha + beta),
            "reliability_sd": math.sqrt(alpha * beta / (alpha + beta) ** 2 / (alpha + beta + 1)),
            "response_time_hours": math.exp((RESPONSE_TIME.log_hours + seen["log_hours"]) / (1 + seen["answer_times"])),
        }

    def faded(self, rate_days: float = 365.0, fatigue_days: float = 21.0) -> dict[str, float]:
        """Each event by what is left of it at the latest known."""

        def left(at: int, half_life_days: float = rate_days) -> float:
            return float(0.5 ** ((self.latest_at - at) / DAY / half_life_days))

        sums = dict.fromkeys(DECAYED, 0.0)
        for notified_at, answered_at, accepted_at in self._waves():
            if notified_at is None:
                continue
            sums["alerts"] += left(notified_at)
            sums["acceptances"] += left(notified_at) if accepted_at is not None else 0
            if answered_at is None:
                sums["unanswered"] += left(notified_at, fatigue_days)
            else:
                log_hours = math.log(max(answered_at - notified_at, 10**6) / 3.6e9)
                sums["answer_times"] += left(notified_at)
                sums["log_hours"] += left(notified_at) * log_hours
                sums["log_hours_squared"] += left(notified_at) * log_hours**2
        for promised_at, kept in self._promises_kept():
            sums["promises"] += left(promised_at)
            sums["kept"] += kept * left(promised_at)
        names = {"CANCELLED": "cancellations", "NO_SHOW": "no_shows", "DEFERRED": "deferrals"}
        for one in self.donations:
            name = names.get(one["outcome"])
            if name is None:
                name = "apheresis" if one["component"] in ("PLATELETS", "PLASMA") else "whole_blood"
            sums[name] += left(one["occurred_at"])
        return {f"{name}_decayed": value for name, value in sums.items()}

    def _waves(self) -> list[list[int | None]]:
        """Of each wave of each request: when it was notified, first answered, first accepted."""
        kinds = (("NOTIFIED",), ("ACCEPTED", "DECLINED", "ARRIVED"), ("ACCEPTED", "ARRIVED"))
        found: dict[tuple[int, int], list[int | None]] = {}
        for one in filter(self._in_span, self.responses):
            wave = found.setdefault((one["request_id"], one["wave"]), [None, None, None])
            for place, kind in enumerate(kinds):
                if one["response"] in kind:
                    known = wave[place]
                    wave[place] = one["occurred_at"] if known is None else min(known, one["occurred_at"])
        return list(found.values())

    def _total(self) -> int:
        if self.profile is None:
            return len(self.completed)
        since = [one for one in self.completed if one["occurred_at"] > self.profile["occurred_at"]]
        return self.profile["total_donations"] + len(since)

    def _given(self) -> tuple[list[int], dict[int, bool]]:
        whole_blood = [one["last_whole_blood_at"] for one in self.profiles if one["last_whole_blood_at"] is not None]
        stated: list[tuple[int, bool]] = []
        for one in self.profiles:
            stated += [(given["given_at"], given["red_cells_returned"]) for given in one["recent_apheresis"]]
            if one["last_apheresis_at"] is not None:
                stated.append((one["last_apheresis_at"], one["red_cells_returned"]))
        for one in self.completed:
            if one["component"] in ("WHOLE_BLOOD", "RED_CELLS", "UNKNOWN"):
                whole_blood.append(one["occurred_at"])
            if one["component"] in ("PLATELETS", "PLASMA"):
                stated.append((one["occurred_at"], one["red_cells_returned"]))
            if one["component"] == "UNKNOWN":
                stated.append((one["occurred_at"], False))
        return whole_blood, {at: all(back for other, back in stated if other == at) for at, _ in stated}

    def _deferrals(self) -> list[dict[str, Any]]:
        stated = [(stamp(one), deferral) for one in self.profiles for deferral in one["deferrals"]]
        stated += [(stamp(one), one["deferral"]) for one in self.donations if one["deferral"] is not None]
        named: dict[str, list[tuple[tuple[int, str], int]]] = {}
        unnamed: set[int] = set()
        for when, deferral in stated:
            until = FOREVER if deferral["until"] is None else deferral["until"]
            item = " ".join(deferral["rule_item"].lower().split())
            if names_item_52(item) or not item:
                unnamed.add(until)
            else:
                named.setdefault(item, []).append((when, until))
        standing = [("", max(unnamed))] if unnamed else []
        for item, statements in named.items():
            lifts = [when for when, until in statements if until < (when[0] + IST) // DAY]
            last_lift = max(lifts, default=(0, ""))
            days = [until for when, until in statements if when >= last_lift and until >= (when[0] + IST) // DAY]
            standing += [(item, max(days))] if days else []
        return [{"rule_item": item, "until": None if day == FOREVER else day} for item, day in sorted(standing)]

    def _promises(self) -> list[dict[str, int]]:
        found = []
        for request_id in {one["request_id"] for one in self.responses}:
            of_it = [one for one in self.responses if one["request_id"] == request_id]
            decisive = max(
                (one for one in of_it if one["response"] not in ("NOTIFIED", "OPENED")), key=stamp, default=None
            )
            if decisive is None or decisive["response"] not in ("ACCEPTED", "ARRIVED"):
                continue
            at = decisive["occurred_at"]
            closing = [
                one
                for one in self.donations
                if one["occurred_at"] >= at and (one["request_id"] == request_id or one["outcome"] == "COMPLETED")
            ]
            found += [] if closing else [(at, request_id)]
        return [{"request_id": one, "promised_at": at} for at, one in sorted(found, reverse=True)[:2]]

    def _asked(self) -> list[dict[str, int]]:
        found = []
        for request_id in {one["request_id"] for one in self.responses}:
            latest = max((one for one in self.responses if one["request_id"] == request_id), key=stamp)
            if latest["response"] != "EXPIRED" and latest["occurred_at"] >= self.latest_at - 127 * DAY:
                found.append((latest["occurred_at"], request_id))
        return [{"request_id": one, "responded_at": at} for at, one in sorted(found, reverse=True)]

    def _promises_kept(self) -> list[tuple[int, bool]]:
        """When each promise was last made of which it is known whether it was kept, and whether it was."""
        found = []
        for request_id in {one["request_id"] for one in self.responses}:
            said = dict.fromkeys(("promised", "came", "failed"), 0)

            def note(kind: str, at: int, said: dict[str, int] = said) -> None:
                said[kind] = max(said[kind], at)

            for one in (one for one in self.responses if one["request_id"] == request_id and self._in_span(one)):
                if one["response"] in ("ACCEPTED", "ARRIVED"):
                    note("promised", one["occurred_at"])
                if one["response"] == "ARRIVED":
                    note("came", one["occurred_at"])
                if one["response"] in ("DECLINED", "EXPIRED"):
                    note("failed", one["occurred_at"])
            for one in (one for one in self.donations if one["request_id"] == request_id and self._in_span(one)):
                note("came" if one["outcome"] in ("COMPLETED", "DEFERRED") else "failed", one["occurred_at"])
            if said["promised"] and said["came"] and said["came"] >= said["failed"]:
                found.append((said["promised"], True))
            elif said["promised"] and said["failed"] >= said["promised"]:
                found.append((said["promised"], False))
        return found

    def _in_span(self, one: dict[str, Any]) -> bool:
        """Not more than 97 days after the first that counts of the request: 90 until required_by, and a week."""
        first_at = self.first_at.get(one["request_id"])
        return first_at is not None and bool(one["occurred_at"] <= first_at + 97 * DAY)
