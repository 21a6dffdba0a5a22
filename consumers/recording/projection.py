"""Records → rows: which projection a topic has, and what becomes of a record that can't be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from consumers.recording.donors import donor_rows
from consumers.recording.forecasts import forecast_rows
from consumers.recording.maintenance import maintenance_row
from consumers.recording.matches import wave_of
from consumers.recording.outcomes import outcomes_of_donation, outcomes_of_response
from consumers.recording.predictions import prediction_row
from consumers.recording.releases import release_row
from consumers.recording.requests import request_event
from consumers.recording.responses import response_row
from consumers.recording.rows import Row
from consumers.topology import Topology
from consumers.validation import checked, not_null
from features.rule_set import RuleSet
from schemas.codec import Codec
from schemas.records import Event, Record

TOPOLOGY = Topology(
    name="recording",
    sources=(
        "blood-request-created",
        "blood-request-closed",
        "demand-forecasted",
        "donation-recorded",
        "donor-responded",
        "donor-states",
        "maintenance-triggered",
        "matches",
        "model-released",
        "prediction-logged",
    ),
    sinks=(),
)
"""What is recorded. The sources have different numbers of partitions: no row depends on who owns which."""


class Projection:
    """Turns records of the sources into rows.

    Parameters
    ----------
    codec : Codec
        What reads the values.
    rules : RuleSet
        What the next eligible instants of donors are worked out by.
    feature_names : sequence of str
        Of ``donor_seeker_match``, in its manifest's order.
    """

    def __init__(self, codec: Codec, rules: RuleSet, feature_names: Sequence[str]) -> None:
        self._codec = codec
        names = tuple(feature_names)
        self._projections: Mapping[str, Callable[[Record, Event], tuple[Row, ...]]] = {
            "blood-request-created": lambda record, event: (request_event(record, event),),
            "blood-request-closed": lambda record, event: (request_event(record, event),),
            "demand-forecasted": lambda _, event: forecast_rows(event),
            "maintenance-triggered": lambda _, event: (maintenance_row(event),),
            "donation-recorded": lambda _, event: outcomes_of_donation(event),
            "donor-responded": lambda _, event: _response_rows(event),
            "donor-states": lambda record, event: donor_rows(record, event, rules),
            "matches": lambda _, event: (wave_of(event, names),),
            "model-released": lambda record, event: (release_row(record, event),),
            "prediction-logged": lambda _, event: (prediction_row(event),),
        }

    def rows(self, record: Record) -> tuple[Row, ...]:
        """Return the rows of one record; none where it says nothing that is kept.

        Raises
        ------
        InvalidRecord
            If the record breaks the contract.
        """
        event = self._codec.decode(record.topic, not_null(record))
        return self._projections[record.topic](record, checked(record, event))


def _response_rows(event: Event) -> tuple[Row, ...]:
    row = response_row(event)
    return outcomes_of_response(event) if row is None else (row, *outcomes_of_response(event))
