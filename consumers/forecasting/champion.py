"""Which version of ``demand_forecast`` forecasts: the champion, as ``model-released`` has it.

There are no challengers and no shadows of it: a date has one row of forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumers.releases import Release, Releases
from features.scoring import ModelRefusedError
from features.series import Forecaster
from schemas.codec import Codec
from schemas.records import Record

MODEL = "demand_forecast"
Load = Callable[[Release], Forecaster]
"""Returns the forecaster of a release, or raises ``ModelRefusedError``."""


class Champion:
    """The version that forecasts.

    Parameters
    ----------
    codec : Codec
    default : Forecaster
        Champion while no release names one that can be used.
    load : callable
        See ``Load``.

    Attributes
    ----------
    forecaster : Forecaster
    refused : dict of Release to str
        What is released as champion and can't be used, and why.
    """

    def __init__(self, codec: Codec, default: Forecaster, load: Load) -> None:
        self._codec = codec
        self._default = default
        self._load = load
        self._releases = Releases()
        self._loaded: dict[Release, Forecaster] = {}
        self.forecaster = default
        self.refused: dict[Release, str] = {}

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in releases, which take effect at once; return a line for each record that breaks the contract."""
        news, alarms = self._releases.follow(records, self._codec)
        if MODEL in news:
            self._settle()
        return alarms

    def _settle(self) -> None:
        champions = self._releases.champions(MODEL)
        self._loaded = {one: forecaster for one, forecaster in self._loaded.items() if one in champions}
        self.refused = {one: why for one, why in self.refused.items() if one in champions}
        usable = (self._usable(one) for one in champions)
        self.forecaster = next((one for one in usable if one is not None), self._default)

    def _usable(self, release: Release) -> Forecaster | None:
        if (release.version, release.sha256) == (self._default.version, self._default.sha256):
            return self._default
        if release not in self._loaded and release not in self.refused:
            try:
                self._loaded[release] = self._load(release)
            except ModelRefusedError as error:
                self.refused[release] = str(error)
        return self._loaded.get(release)
