"""The rows of a batch, one for each key, in an order of their own so that two writers never wait for each other.

Events of requests alone come as they are: which of them are repeats is known where the rows are written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.recording.donors import folded_donors, folded_erasures
from consumers.recording.forecasts import folded_forecasts
from consumers.recording.maintenance import folded_maintenance
from consumers.recording.matches import folded_waves
from consumers.recording.outcomes import folded_outcomes, folded_stream_times
from consumers.recording.predictions import folded_predictions
from consumers.recording.releases import folded_releases
from consumers.recording.responses import folded_responses
from consumers.recording.rows import (
    DepartureRow,
    DonorRow,
    ErasureRow,
    ForecastRow,
    MaintenanceRow,
    OutcomeRow,
    PredictionRow,
    RefusedRow,
    ReleaseRow,
    RequestEvent,
    ResponseRow,
    Row,
    StreamTimeRow,
    Wave,
)


@dataclass(frozen=True, slots=True)
class Folded:
    """What a batch writes; every list but ``request_events``, which is in the order of records, has one row a key."""

    request_events: Sequence[RequestEvent]
    waves: Sequence[Wave]
    responses: Sequence[ResponseRow]
    outcomes: Sequence[OutcomeRow]
    stream_times: Sequence[StreamTimeRow]
    donors: Sequence[DonorRow]
    departures: Sequence[DepartureRow]
    erasures: Sequence[ErasureRow]
    predictions: Sequence[PredictionRow]
    forecasts: Sequence[ForecastRow]
    maintenance: Sequence[MaintenanceRow]
    releases: Sequence[ReleaseRow]
    refusals: Sequence[RefusedRow]


def fold(rows: Iterable[Row]) -> Folded:
    """Fold rows, which come in the order of their records within each partition."""
    kinds: Mapping[type, list[Any]] = defaultdict(list)
    shown: list[DonorRow | DepartureRow] = []
    for row in rows:
        if isinstance(row, DonorRow | DepartureRow):
            shown.append(row)
        else:
            kinds[type(row)].append(row)
    donors, departures = folded_donors(shown)
    return Folded(
        request_events=kinds[RequestEvent],
        waves=folded_waves(kinds[Wave]),
        responses=folded_responses(kinds[ResponseRow]),
        outcomes=folded_outcomes(kinds[OutcomeRow]),
        stream_times=folded_stream_times(kinds[StreamTimeRow]),
        donors=donors,
        departures=departures,
        erasures=folded_erasures(kinds[ErasureRow]),
        predictions=folded_predictions(kinds[PredictionRow]),
        forecasts=folded_forecasts(kinds[ForecastRow]),
        maintenance=folded_maintenance(kinds[MaintenanceRow]),
        releases=folded_releases(kinds[ReleaseRow]),
        refusals=kinds[RefusedRow],
    )
