"""The last judgement for Prometheus; what is told no more is NaN, and an alarm that is over 0."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Gauge

from smartblood import metrics

Row = Mapping[str, Any]
Labels = tuple[str, ...]

CALIBRATION, DRIFT = "calibration", "drift"
_OF_COLUMN: Mapping[str, Gauge] = {
    "n_alerts": metrics.MODEL_OUTCOMES,
    "n_unsettled": metrics.MODEL_UNSETTLED,
    "ece": metrics.MODEL_CALIBRATION_ERROR,
    "log_loss": metrics.MODEL_LOG_LOSS,
    "brier": metrics.MODEL_BRIER,
    "auc": metrics.MODEL_AUC,
}
_ENDS = {
    "value": "observed_to_expected",
    "lower": "observed_to_expected_lower",
    "upper": "observed_to_expected_upper",
}


class Shown:
    """What is shown now.

    Attributes
    ----------
    alarms : dict of tuple of str to str
        What each alarm that is raised says, by model, version, role, kind and what it is about.
    """

    def __init__(self) -> None:
        self.alarms: dict[Labels, str] = {}
        self._shown: set[tuple[Gauge, Labels]] = set()

    def show(self, performances: Sequence[Row], drifts: Sequence[Row]) -> None:
        """Show rows of ``model_performance`` and of ``model_drift``."""
        found: dict[tuple[Gauge, Labels], float] = {}
        alarms: dict[Labels, str] = {}
        for row in performances:
            key = (*_version(row), row["outcome"])
            found |= {(gauge, key): _number(row[column]) for column, gauge in _OF_COLUMN.items()}
            for end, column in _ENDS.items():
                found[metrics.MODEL_CALIBRATION, (*key, end)] = _number(row[column])
            _note(alarms, row, CALIBRATION, row["outcome"])
        for row in drifts:
            found[metrics.MODEL_DRIFT, (*_version(row), row["feature"])] = _number(row["stability_index"])
            _note(alarms, row, DRIFT, row["feature"])
        found |= {(metrics.MODEL_ALARM, key): 1.0 for key in alarms}
        for gauge, labels in self._shown - set(found):
            gauge.labels(*labels).set(0.0 if gauge is metrics.MODEL_ALARM else math.nan)
        for (gauge, labels), value in found.items():
            gauge.labels(*labels).set(value)
        self._shown |= set(found)
        self.alarms = alarms
        if performances:
            metrics.MODEL_JUDGED_UNTIL.set(performances[0]["as_of"].timestamp())


def _version(row: Row) -> Labels:
    return row["model_name"], row["version"], row["role"]


def _note(alarms: dict[Labels, str], row: Row, kind: str, what: str) -> None:
    if row["alarm"] is not None:
        alarms[(*_version(row), kind, what)] = row["alarm"]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
