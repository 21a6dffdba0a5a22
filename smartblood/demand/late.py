"""A forecaster that is read when it is needed: once a week, and what it needs fills a hundred megabytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from features.series import LEVELS, Forecaster, SeriesForecast, SeriesTable


@dataclass(slots=True)
class LateForecaster:
    """Says which version it is at once, and reads it when it is first asked for a forecast.

    Parameters
    ----------
    name, version, sha256 : str
        As the manifest has them; whoever makes this has seen that the artefact has the digest.
    read : callable
        Returns the forecaster itself.
    """

    name: str
    version: str
    sha256: str
    read: Callable[[], Forecaster]
    _itself: Forecaster | None = field(default=None, init=False)

    def forecast(self, history: SeriesTable, horizon: int, levels: tuple[float, ...] = LEVELS) -> SeriesForecast:
        """Return as ``features.series.Forecaster`` does.

        Raises
        ------
        ValueError
            Where a forecast of this history can't be made.
        Fatal
            If it can't be read after all.
        """
        if self._itself is None:
            self._itself = self.read()
        return self._itself.forecast(history, horizon, levels)
