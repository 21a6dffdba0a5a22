"""Which version of ``demand_forecast`` forecasts: the champion, as ``model-released`` has it.

There are no challengers and no shadows of it: a date has one row of forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumers.releases import Release, Releases
from consumers.usable import Usable
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
    """

    def __init__(self, codec: Codec, default: Forecaster, load: Load) -> None:
        self._codec = codec
        self._releases = Releases()
        self._usable = Usable(default, load)
        self.forecaster = default

    @property
    def refused(self) -> dict[Release, str]:
        """What is released as champion and can't be used, and why."""
        return self._usable.refused

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in releases, which take effect at once; return a line for each record that breaks the contract."""
        news, alarms = self._releases.follow(records, self._codec)
        if MODEL in news:
            self._settle()
        return alarms

    def _settle(self) -> None:
        champions = self._releases.champions(MODEL)
        self._usable.forget_others(champions)
        self.forecaster = self._usable.first(champions)
