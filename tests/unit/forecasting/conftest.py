"""Fixtures of forecasters that are learned in a test."""

from __future__ import annotations

import pytest

from smartblood.forecasting import fitting


@pytest.fixture
def few_trees(monkeypatch):
    monkeypatch.setattr(fitting, "N_TREES", 15)
