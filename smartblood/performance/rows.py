"""A judgement as rows of ``model_performance`` and ``model_drift``."""

from __future__ import annotations

from typing import Any

from smartblood.performance.judgement import Drift, Judgement, Performance
from smartblood.training.judging import Interval


def performance_rows(judgement: Judgement) -> list[dict[str, Any]]:
    """Return the rows of ``model_performance``."""
    return [_of_performance(one, judgement.window_days) for one in judgement.performances]


def drift_rows(judgement: Judgement) -> list[dict[str, Any]]:
    """Return the rows of ``model_drift``."""
    return [_of_drift(one, judgement.window_days) for one in judgement.drifts]


def _of_performance(one: Performance, window_days: int) -> dict[str, Any]:
    expected, ratios = one.bins
    return {
        "model_name": one.model,
        "version": one.version,
        "role": one.role,
        "outcome": one.outcome,
        "window_days": window_days,
        "n_requests": one.n_requests,
        "n_alerts": one.n_alerts,
        "n_yes": one.n_yes,
        "n_unsettled": one.n_unsettled,
        "expected": one.expected,
        "observed": one.observed,
        **_ends("observed_to_expected", one.observed_to_expected),
        "ece": one.ece,
        "ece_by_chance": one.ece_by_chance,
        "log_loss": one.log_loss,
        "brier": one.brier,
        "auc": one.auc,
        **_ends("log_loss_saved", one.log_loss_saved),
        "bins": {"expected": expected, "observed_to_expected": ratios},
        "alarm": one.alarm,
    }


def _ends(name: str, found: Interval | None) -> dict[str, float | None]:
    value, lower, upper = (None, None, None) if found is None else found
    return {name: value, f"{name}_lower": lower, f"{name}_upper": upper}


def _of_drift(one: Drift, window_days: int) -> dict[str, Any]:
    return {
        "model_name": one.model,
        "version": one.version,
        "role": one.role,
        "feature": one.feature,
        "window_days": window_days,
        "n_requests": one.n_requests,
        "n_alerts": one.n_alerts,
        "stability_index": one.stability_index,
        "alarm": one.alarm,
    }
