"""``prediction-logged`` → ``model_prediction_logs``."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.recording.rows import PredictionRow
from consumers.recording.texts import finite, json_sample, optional_text, text_of
from schemas.records import Event


def prediction_row(event: Event) -> PredictionRow:
    """Return what is logged of one scoring run.

    Raises
    ------
    InvalidRecord
        If its time is no finite number.
    """
    return PredictionRow(
        event_id=event["event_id"],
        model_name=event["model"],
        model_version=text_of(event["version"]),
        endpoint=text_of(event["source"]),
        n_rows=event["n_rows"],
        input_data=json_sample(event["input_sample"]),
        prediction_output=json_sample(event["output_sample"]),
        inference_time_ms=finite(event["inference_time_ms"], "inference_time_ms"),
        success=event["success"],
        error_message=optional_text(event["error"]),
        created_at=event["occurred_at"],
    )


def folded_predictions(rows: Iterable[PredictionRow]) -> list[PredictionRow]:
    """Return each run once: the same event again is the same run."""
    found: dict[str, PredictionRow] = {}
    for row in rows:
        found.setdefault(row.event_id, row)
    return list(found.values())
