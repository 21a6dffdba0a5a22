"""Keeping up with ``donor-states``: records into the donor index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from consumers.stores import line
from consumers.validation import donor_of_key
from features.index import DonorIndex
from features.index.facts import TOPIC, FactReader
from features.rule_set import RuleSet
from schemas.codec import FRAME, Codec
from schemas.errors import InvalidRecord
from schemas.records import Event, Record

N_RECORDS_AT_ONCE = 16_384
"""Columns of so many donors fit into the processor's cache."""

NOBODY = {
    "event_id": "",
    "occurred_at": 0,
    "erased_at": None,
    "registered_at": None,
    "blood_group": "UNKNOWN",
    "sex": "UNKNOWN",
    "born_on": 0,
    "weight_kg": None,
    "district": "",
    "h3_cell": 0,
    "joined_at": 0,
    "contactable": False,
    "apheresis_willing": False,
    "away_until": None,
    "total_donations": 0,
    "last_whole_blood_at": None,
    "apheresis": [],
    "last_unreturned_apheresis_at": None,
    "deferrals": [],
    "promises": [],
    "asked": [],
    "n_alerts": 0,
    "n_answers": 0,
    "n_promises": 0,
    "n_kept": 0,
    "availability_score": 0.0,
    "reliability_score": 0.0,
    "reliability_sd": 0.0,
    "response_time_hours": 0.0,
    "memory": b"",
}
"""The state of a donor without a profile: what a null value says."""


class DonorFollower:
    """Takes ``donor-states`` into an index.

    Parameters
    ----------
    codec : Codec
    rules : RuleSet
        Under which eligibility is worked out.
    index : DonorIndex
    """

    def __init__(self, codec: Codec, rules: RuleSet, index: DonorIndex) -> None:
        self._codec = codec
        self._index = index
        self._reader = FactReader(rules)

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in records, in their order; return a line for each that breaks the contract.

        A record that can't be read changes nothing. A donor whose cell or score makes no sense is in no list until
        that is put right.
        """
        alarms: list[str] = []
        for first in range(0, len(records), N_RECORDS_AT_ONCE):
            alarms.extend(self._follow(records[first : first + N_RECORDS_AT_ONCE]))
        return alarms

    def _follow(self, records: Sequence[Record]) -> list[str]:
        places, values, donor_ids, alarms = [], [], [], []
        newest: set[bytes] = set()
        for place, record in enumerate(records):
            try:
                donor_id = donor_of_key(record)
                value = record.value
                if value is None:
                    value = self._encoded({**NOBODY, "donor_id": donor_id})
                elif value[: FRAME.size] not in newest:
                    if self._codec.is_newest(TOPIC, value):
                        newest.add(value[: FRAME.size])
                    else:
                        value = self._encoded(self._codec.decode(TOPIC, value))
            except InvalidRecord as error:
                alarms.append(line(record, error.reason))
                continue
            places.append(place)
            values.append(value)
            donor_ids.append(donor_id)
        return alarms + self._take([records[place] for place in places], values, donor_ids)

    def _take(self, records: Sequence[Record], values: list[bytes], donor_ids: list[int]) -> list[str]:
        alarms = []
        decoded = self._reader.decode(values, FRAME.size)
        if not decoded.is_read.all():
            for place in np.flatnonzero(~decoded.is_read).tolist():
                try:
                    values[place] = self._encoded(self._codec.decode(TOPIC, values[place]))
                except InvalidRecord as error:
                    alarms.append(line(records[place], error.reason))
            decoded = self._reader.decode(values, FRAME.size)
        strays = decoded.is_read & (self._reader.donor_ids(decoded) != np.array(donor_ids, np.int64))
        alarms += [line(records[place], "key: not donor_id") for place in np.flatnonzero(strays).tolist()]
        decoded.is_read[strays] = False
        is_sound = self._reader.take(self._index, decoded)
        alarms += [
            line(records[place], "h3_cell or a score makes no sense; the donor is left out")
            for place in np.flatnonzero(~is_sound).tolist()
        ]
        return alarms

    def _encoded(self, state: Event) -> bytes:
        return self._codec.encode(TOPIC, state)
