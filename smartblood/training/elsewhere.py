"""The champions in a world that they weren't trained in: another mixture of donors, other distances, other habits.

Only lists that were drawn at random among the lawful donors in reach are looked at: a policy that had chosen them would
favour its like. Each policy then asks a third of each list, in the contract's order: classes first, then what it orders
by. All ask the same number of the same donors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.outcomes import SETTLED_US
from features.scoring import Panel
from producers.simulator import History, World
from schemas.records import Event
from smartblood.errors import Fatal
from smartblood.training.examples import Examples
from smartblood.training.judging import (
    Bins,
    Interval,
    auc,
    brier,
    calibration_error,
    log_loss,
    ratios_by_bin,
    with_interval,
)
from smartblood.training.policies import Truth, policies, truth_of
from smartblood.training.promise import Kept, kept
from smartblood.training.recalibrating import Base, recalibrated_panel
from smartblood.training.replaying import Replayed, of_world
from smartblood.training.sent import N_REQUESTS, lists_sent, sent_of
from smartblood.training.verdicts import of_availability, of_reliability, of_response_time
from smartblood.training.views import availability_view, match_view, told

ASKED_SHARE = 1 / 3
LEARNED_SHARE = 0.5
"""Of the time that passes before anybody is judged: at first nothing is known of anybody."""

GAVE_MIN = 20

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


HISTORY, LISTS = "history", "lists"


class Following(NamedTuple):
    """By which outcomes of the world the models are recalibrated before they are judged on later ones.

    Parameters
    ----------
    by : str
        ``HISTORY``: of whom its own policies asked; ``LISTS``: of lists that the system sends with the models as they
        are, the very first, while those that are judged come after them.
    bases : sequence of Base
        In the order of ``Panel``.
    """

    by: str
    bases: Sequence[Base]


class Calibrated(NamedTuple):
    """Calibration of one model on some alerts.

    Parameters
    ----------
    n : int
        Alerts.
    ece : Interval
        By what came of them.
    observed : Bins
        Observed ÷ expected.
    true : Bins
        The same by the simulator's own probabilities, without the noise of single outcomes.
    """

    n: int
    ece: Interval
    observed: Bins
    true: Bins


class Evaluation(NamedTuple):
    """How good the champion is in a world.

    Parameters
    ----------
    n, n_gave, n_requests : int
        Alerts, those given for, requests.
    figures : dict of str to dict of str to Interval
        For each policy that says a probability (model, oracle): auc, brier, log_loss, ece; for the others auc alone.
    gave_per_alert : dict of str to Interval
        Of the third of each list that each policy asks.
    gain_over : dict of str to Interval
        By how much more of those whom the model asks give, relative to whom the other asks.
    calibration : dict of str to Calibrated
        Of match and availability on lists drawn at random; and, as ``sent_match`` and ``sent_availability``, on lists
        that the system itself sends.
    others : dict of str to dict
        Of availability, reliability and response_time: what ``verdicts`` says of each.
    promise : Kept, optional
        What lists claim that the model sized, and what is true of them; None where none was.
    panel : Panel
        Who was judged.
    """

    n: int
    n_gave: int
    n_requests: int
    figures: dict[str, dict[str, Interval]]
    gave_per_alert: dict[str, Interval]
    gain_over: dict[str, Interval]
    calibration: dict[str, Calibrated]
    others: dict[str, dict[str, Any]]
    promise: Kept | None
    panel: Panel


def evaluate(
    panel: Panel,
    world: World,
    seed: int,
    end: int,
    *,
    following: Following | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Judge the models of donors in a world; where ``following`` says so, recalibrated on earlier outcomes of it.

    Raises
    ------
    Fatal
        If the world is too small to say anything.
    """
    replayed = of_world(world, seed, end, on_step)
    alerts, history = replayed.examples, replayed.history
    assert history is not None  # noqa: S101 - a simulated world has one
    judged_from = history.start + int((history.end - history.start) * LEARNED_SHARE)
    if following is not None:
        on_step(f"recalibrating by outcomes of {following.by}")
        panel = _recalibrated(following, panel, replayed, judged_from, seed)
    n_before = N_REQUESTS if following is not None and following.by == LISTS else 0
    alerts = alerts.take(alerts.at >= judged_from)
    if not alerts.gave.size:
        message = "nobody is asked in this world: give more --donors or --days"
        raise Fatal(message)
    truth = truth_of(alerts, history)
    drawn = np.flatnonzero(truth.at_random)
    order = drawn[np.argsort(alerts.request_id[drawn], kind="stable")]
    alerts, truth = alerts.take(order), truth.take(order)
    n_gave = int(alerts.gave.sum())
    if min(n_gave, alerts.gave.size - n_gave) < GAVE_MIN:
        message = f"{alerts.gave.size} alerts, {n_gave} of them given for, say nothing: give more --donors or --days"
        raise Fatal(message)
    on_step(f"judging on {alerts.gave.size:,} alerts of lists drawn at random")
    views = match_view(alerts, panel.availability, panel.reliability)
    others = {
        "availability": of_availability(panel.availability, alerts, truth, seed),
        "reliability": of_reliability(panel.reliability, alerts, truth, seed),
        "response_time": of_response_time(panel.response_time, alerts, seed),
    }
    on_step(f"asking for {N_REQUESTS:,} requests with as many donors as fill them")
    lists = lists_sent(panel, history, seed, N_REQUESTS, after=n_before)
    scores = policies(told(panel.match, views.rows, alerts.district), views, truth.gives)
    says_yes = told(panel.availability, availability_view(alerts), alerts.district)
    calibration = _calibration(alerts, truth, {"match": scores["model"], "availability": says_yes}, seed)
    calibration |= _of_sent(lists, history, seed)
    return _judged(panel, alerts, scores, others, seed)._replace(
        calibration=calibration, promise=kept(lists, history, seed)
    )


def _recalibrated(following: Following, panel: Panel, replayed: Replayed, judged_from: int, seed: int) -> Panel:
    """Return the panel after a recalibration on what was known before anything that is judged."""
    examples, history, since = replayed.examples, replayed.history, None
    try:
        if following.by == HISTORY:
            examples = examples.take(examples.required_by + SETTLED_US <= judged_from)
        else:
            assert history is not None  # noqa: S101 - a simulated world has one
            examples = sent_of(lists_sent(panel, history, seed, N_REQUESTS), history, seed).examples
            since = int(examples.at.min())  # the system has known these donors for as long as the world lasts
        return recalibrated_panel(following.bases, replayed._replace(examples=examples), since=since)
    except ValueError as error:
        message = f"{error}: give more --donors or --days"
        raise Fatal(message) from error


def _of_sent(lists: Sequence[Event], history: History, seed: int) -> dict[str, Calibrated]:
    """Return the calibration on lists that the system sends, by what its offers tell."""
    if not any(one["matches"] for one in lists):
        return {}
    alerts, truth = sent_of(lists, history, seed)
    told_of = [offer for one in lists for offer in one["matches"]]
    scores = {
        name: np.array([offer[field] for offer in told_of])
        for name, field in (("match", "match_score"), ("availability", "availability_score"))
    }
    return {f"sent_{name}": one for name, one in _calibration(alerts, truth, scores, seed).items()}


def _calibration(alerts: Examples, truth: Truth, scores: dict[str, Floats], seed: int) -> dict[str, Calibrated]:
    found = {}
    for name, label, true in (("match", alerts.gave, truth.gives), ("availability", alerts.accepted, truth.says_yes)):
        score, donors = scores[name], alerts.donor_id

        def error(places: Ints, label: NDArray[np.bool_] = label, score: Floats = score) -> float:
            return calibration_error(label[places], score[places])

        found[name] = Calibrated(
            int(label.size),
            _interval(alerts, error, seed, is_distance=True),
            ratios_by_bin(label, score, donors, seed=seed),
            ratios_by_bin(true, score, donors, seed=seed),
        )
    return found


def _judged(
    panel: Panel,
    alerts: Examples,
    scores: dict[str, Floats],
    others: dict[str, dict[str, Any]],
    seed: int,
) -> Evaluation:
    chosen = {name: _chosen(alerts, score) for name, score in scores.items()}
    return Evaluation(
        n=int(alerts.gave.size),
        n_gave=int(alerts.gave.sum()),
        n_requests=len(np.unique(alerts.request_id)),
        figures={name: _figures(alerts, name, score, seed) for name, score in scores.items()},
        gave_per_alert={name: _interval(alerts, _per_alert(alerts, asked), seed) for name, asked in chosen.items()},
        gain_over={
            name: _interval(alerts, _gain(alerts, chosen["model"], asked), seed)
            for name, asked in chosen.items()
            if name != "model"
        },
        calibration={},
        others=others,
        promise=None,
        panel=panel,
    )


def _figures(alerts: Examples, name: str, score: Floats, seed: int) -> dict[str, Interval]:
    measures: dict[str, Callable[[Any, Floats], float]] = {"auc": auc}
    if name in {"model", "oracle"}:
        measures |= {"brier": brier, "log_loss": log_loss, "ece": calibration_error}
    return {
        figure: _interval(
            alerts,
            lambda places, measure=measure: measure(alerts.gave[places], score[places]),  # type: ignore[misc]
            seed,
            is_distance=measure is calibration_error,
        )
        for figure, measure in measures.items()
    }


def _chosen(alerts: Examples, score: Floats) -> NDArray[np.bool_]:
    """Return whether a policy would ask each donor: a third of each list, rounded up, classes first."""
    order = np.lexsort((alerts.donor_id, -score, alerts.preference, alerts.request_id))
    _, starts, sizes = np.unique(alerts.request_id, return_index=True, return_counts=True)
    place = np.arange(order.size) - np.repeat(starts, sizes)
    asked = np.empty(order.size, np.bool_)
    asked[order] = place < np.repeat(np.ceil(sizes * ASKED_SHARE), sizes)
    return asked


def _per_alert(alerts: Examples, asked: NDArray[np.bool_]) -> Callable[[Ints], float]:
    return lambda places: float(alerts.gave[places][asked[places]].mean())


def _gain(alerts: Examples, ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Callable[[Ints], float]:
    mine, other = _per_alert(alerts, ours), _per_alert(alerts, theirs)

    def gain(places: Ints) -> float:
        base = other(places)
        return mine(places) / base - 1 if base > 0 else 0.0

    return gain


def _interval(alerts: Examples, figure: Callable[[Ints], float], seed: int, *, is_distance: bool = False) -> Interval:
    return with_interval(figure, alerts.request_id, seed=seed, is_distance=is_distance)
