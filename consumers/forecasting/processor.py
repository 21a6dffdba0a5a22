"""The processor: a trigger and the history until the day before it become forecasts from its own day on."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from consumers.forecasting.champion import MODEL, Champion, Load
from consumers.forecasting.forecasts import FIRST, LAST, Forecasts, forecasts_of
from consumers.topology import Batch, Input, Topology
from consumers.validation import checked, not_null
from features.local_time import local_day
from features.scoring import ModelRefusedError
from features.series import LEVELS, Forecaster, SeriesTable
from schemas.codec import Codec
from schemas.identifiers import derived_event_id
from schemas.records import Event, Output, Record

FORECASTS, PREDICTIONS = "demand-forecasted", "prediction-logged"
SOURCE = "forecasting"
ALONE = 2**31
"""The work of a trigger, so that each has a transaction of its own: while one waits, none before it waits too."""

REFUSED_TOLD = 5

TOPOLOGY = Topology(
    name="forecasting",
    sources=("forecast-triggered",),
    sinks=(FORECASTS, PREDICTIONS),
    followed=("model-released",),
)

History = Callable[[Input], SeriesTable | None]
"""Returns what is known of demand before a trigger's own day, by district and group; None where it was waited for in
vain and nothing is to be written. Raises what makes the loop try again while it has to be waited for."""


def no_versions(release: object) -> Forecaster:
    """Refuse: where nothing can be loaded, the version that is there stays.

    Raises
    ------
    ModelRefusedError
        Always.
    """
    message = f"nothing loads {release} here"
    raise ModelRefusedError(message)


class Forecasting:
    """Answers triggers; see the package.

    Parameters
    ----------
    codec : Codec
    default : Forecaster
        Forecasts while no release names another version.
    history : callable
        See ``History``.
    load : callable
        Makes a forecaster of a release, or raises ``ModelRefusedError``.
    timer : callable
        Returns seconds of a monotonic clock.

    Attributes
    ----------
    alarms : list of str
        What needs a person; whoever looks takes them away.
    """

    topology = TOPOLOGY

    def __init__(
        self,
        codec: Codec,
        default: Forecaster,
        history: History,
        *,
        load: Load = no_versions,
        timer: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._codec = codec
        self._history = history
        self._timer = timer
        self._told: set[object] = set()
        self.champion = Champion(codec, default, load)
        self.alarms: list[str] = []
        self._staged_alarms: list[str] = []

    def read(self, record: Record) -> Event | None:
        """Decode and check a trigger.

        Raises
        ------
        InvalidRecord
            If it breaks the contract.
        """
        return checked(record, self._codec.decode(record.topic, not_null(record)))

    def work(self, item: Input) -> int:  # noqa: ARG002 - all are alike
        """Return so much that a trigger has a batch of its own."""
        return ALONE

    def process(self, batch: Batch) -> list[Output]:
        """Answer triggers."""
        outputs: list[Output] = []
        for item in batch.inputs:
            history = self._history(item)
            if item.event is not None and history is not None:
                outputs.extend(self._answer(item.event, history))
        return outputs

    def keep(self) -> None:
        """Let alarms of the batch be taken away; there is no memory."""
        self.alarms.extend(self._staged_alarms)
        self.drop()

    def drop(self) -> None:
        """Forget alarms of the batch; there is no memory."""
        self._staged_alarms.clear()

    def restore(self, partition: int, records: Iterable[Record]) -> list[str]:  # noqa: ARG002 - there is no store
        """Do nothing: there is no memory."""
        return []

    def revoke(self, partitions: Collection[int]) -> None:
        """Do nothing: there is no memory."""

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in releases; return a line for each record that breaks the contract."""
        alarms = self.champion.follow(records)
        for release, why in self.champion.refused.items():
            if release not in self._told:
                self._told.add(release)
                self.alarms.append(f"{release.model} {release.version} is refused: {why}")
        return alarms

    def settle(self) -> None:
        """Do nothing: a release takes effect where it is taken in."""

    def _answer(self, trigger: Event, history: SeriesTable) -> Iterable[Output]:
        forecaster, begun_s = self.champion.forecaster, self._timer()
        made = forecasts_of(forecaster, history, trigger["horizon_days"])
        seconds = self._timer() - begun_s
        asked = set(trigger["districts"])
        wanted = {names: of for names, of in made.found.items() if not asked or names[0] in asked}
        days = [local_day(trigger["as_of"]) + n for n in range(trigger["horizon_days"])]
        model = {"model": forecaster.name, "version": forecaster.version, "sha256": forecaster.sha256}
        for (district, group), (mean, quantiles) in sorted(wanted.items()):
            key = f"{district}/{group}"
            event = {
                "event_id": derived_event_id(FORECASTS, f"{trigger['event_id']}/{key}"),
                "occurred_at": trigger["occurred_at"],
                "district": district,
                "blood_group": group,
                "as_of": trigger["as_of"],
                "days": [_day(*of) for of in zip(days, mean, quantiles, strict=True)],
                "models": [model],
            }
            yield self._output(FORECASTS, event, key)
        yield self._logged(trigger, history, made, sum(float(mean.sum()) for mean, _ in wanted.values()), seconds)

    def _logged(self, trigger: Event, history: SeriesTable, made: Forecasts, units: float, seconds: float) -> Output:
        """Return the log of the run; its id is derived from the trigger."""
        forecaster, error = self.champion.forecaster, None
        if made.refused:
            some = sorted(made.refused.items())[:REFUSED_TOLD]
            error = f"{len(made.refused)} of {len(history.names)} series have no forecast: " + "; ".join(
                f"{'/'.join(names)}: {why}" for names, why in some
            )
            self._staged_alarms.append(error)
        event = {
            "event_id": derived_event_id(f"{PREDICTIONS}/{MODEL}", trigger["event_id"]),
            "occurred_at": trigger["occurred_at"],
            "model": MODEL,
            "version": forecaster.version,
            "source": SOURCE,
            "n_rows": len(history.names) * trigger["horizon_days"],
            "inference_time_ms": seconds * 1000,
            "success": bool(made.found),
            "error": error,
            "input_sample": _json(n_series=len(history.names), n_days=len(history.days)),
            "output_sample": _json(n_series=len(made.found), units=round(units, 3)),
        }
        return self._output(PREDICTIONS, event, MODEL)

    def _output(self, topic: str, event: Event, key: str) -> Output:
        return Output(topic, key.encode(), self._codec.encode(topic, event))


def _json(**told: float) -> str:
    return json.dumps(told, allow_nan=False)


def _day(day: int, mean: np.float64, quantiles: NDArray[np.float64]) -> Event:
    """Return one day; numbers as Python has them, which the codec encodes faster."""
    levels = quantiles.tolist()
    return {
        "day": day,
        "predicted_demand": float(mean),
        "confidence_lower": levels[FIRST],
        "confidence_upper": levels[LAST],
        "quantiles": [{"level": level, "value": value} for level, value in zip(LEVELS, levels, strict=True)],
    }
