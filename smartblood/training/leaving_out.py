"""A second check, by place: what a model that never saw a district says of it.

For each district all models are fitted anew without any alert whose request or whose donor is of it, and judged on the
later alerts of its requests. Beside stands the model that has seen it: what it gains is what the district taught.
``donor_response_time`` isn't judged so: no order and no size of a list hangs on it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.districts import DISTRICTS
from features.vectors import AVAILABILITY, MATCH, RELIABILITY
from smartblood.registry.scorer import TreeScorer
from smartblood.training.examples import Examples
from smartblood.training.judging import auc, calibration_error, with_interval
from smartblood.training.teaching import HEARD, LABELS_MIN, Parts, Taught, TooFewError, teach
from smartblood.training.views import availability_view, known_promises, match_view, reliability_view

JUDGED = (AVAILABILITY, RELIABILITY, MATCH)


def leave_out(
    parts: Parts,
    names: Collection[str],
    taught: dict[str, Taught],
    seed: int,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[str, Any]]:
    """Return for each model figures by district; none of a district in which too little was said later.

    Parameters
    ----------
    names : collection of str
        Models to be judged.
    taught : dict of str to Taught
        Those that have seen all districts.
    """
    found: dict[str, dict[str, Any]] = {name: {} for name in JUDGED if name in names}
    for code, district in enumerate(DISTRICTS):
        test = parts.test.take(parts.test.district == code)
        judged = [name for name in found if _is_enough(_labelled(name, test)[1])]
        if not judged:
            continue
        on_step(f"leaving out {district.name}, {code + 1} of {len(DISTRICTS)}")
        try:
            without = teach(_without(parts, code), judged, "0", seed)
        except TooFewError:  # nearly all that is known is of this district
            continue
        for name in judged:
            found[name][district.name] = _figures(name, without, taught, test, seed)
    return {name: districts for name, districts in found.items() if districts}


def _without(parts: Parts, code: int) -> Parts:
    def rest(examples: Examples) -> Examples:
        return examples.take((examples.district != code) & (examples.home != code))

    return Parts(
        rest(parts.fit),
        rest(parts.calibrate),
        rest(parts.calibrate_availability),
        rest(parts.fit_match),
        rest(parts.calibrate_match),
        parts.test,
        parts.truth,
    )


def _figures(
    name: str, without: dict[str, Taught], taught: dict[str, Taught], test: Examples, seed: int
) -> dict[str, Any]:
    of, label = _labelled(name, test)
    score, seen = (_scores(name, models, of) for models in (without, taught))

    def interval(figure: Callable[[NDArray[np.int64]], float], *, is_distance: bool = False) -> list[float]:
        found = with_interval(figure, of.request_id, seed=seed, is_distance=is_distance)
        return [round(one, 4) for one in found]

    return {
        "n": int(label.size),
        "yes": int(np.count_nonzero(label)),
        "auc": interval(lambda places: auc(label[places], score[places])),
        "auc_having_seen_it": interval(lambda places: auc(label[places], seen[places])),
        "ece": interval(lambda places: calibration_error(label[places], score[places]), is_distance=True),
        "observed_by_expected": interval(lambda places: float(label[places].sum() / max(score[places].sum(), 1e-12))),
    }


def _labelled(name: str, examples: Examples) -> tuple[Examples, NDArray[np.bool_]]:
    if name == MATCH:
        known = examples.take(~examples.stopped)
        return known, known.gave
    if name == RELIABILITY:
        return known_promises(examples)
    return examples, examples.accepted


def _scores(name: str, models: dict[str, Taught], examples: Examples) -> NDArray[np.float64]:
    def scorer(of: str) -> TreeScorer:
        return models[of].learned.scorer

    if name == MATCH:
        return scorer(MATCH).predict(match_view(examples, *(scorer(other) for other in HEARD)).rows)
    view = availability_view if name == AVAILABILITY else reliability_view
    return scorer(name).predict(view(examples))


def _is_enough(label: NDArray[np.bool_]) -> bool:
    n_true = int(np.count_nonzero(label))
    return min(n_true, label.size - n_true) >= LABELS_MIN
