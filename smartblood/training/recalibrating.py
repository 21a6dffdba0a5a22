"""A new version of a model with the same trees, whose scores follow what each district answered.

What it learned stays as it is: a shift of the logit by the district of the request is all that is added, found on
earlier recorded outcomes and judged on later ones. The same records give the same bytes, so anybody can make the
release again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.districts import DISTRICTS
from features.recalibration import shifted, shifts_of
from features.scoring import Panel
from features.vectors import AVAILABILITY, MATCH, RELIABILITY
from smartblood.readable import instant_text
from smartblood.registry.manifest import Entry
from smartblood.registry.scorer import TreeScorer, scorer_of
from smartblood.registry.writing import artefact_bytes, entry_of
from smartblood.training.card import recalibrated_card_of
from smartblood.training.examples import DISTRICT_CODE, Examples
from smartblood.training.judging import log_loss, with_interval
from smartblood.training.replaying import Replayed
from smartblood.training.shifting import Shifts, shifts_by_district
from smartblood.training.teaching import LABELS_MIN, first_asked_at
from smartblood.training.verdicts import probabilities_of
from smartblood.training.views import availability_view, known_promises, match_view, reliability_view, waiting_view

FIT_SHARE = 0.7
"""Of the alerts, by time, between requests: the earlier ones shift, the later ones judge."""

LEARNED_SHARE = 1 / 3
"""Of the time from the first alert to the last that passes before an outcome counts, unless it is said since when: at
first nothing is known of anybody, and a region's donors look like all others."""

SEED = 1
"""Of the bootstrap: nothing else is drawn."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Base(NamedTuple):
    """The version whose trees are kept: what the manifest says of it, and what its artefact holds."""

    entry: Entry
    content: Mapping[str, Any]


class Recalibrated(NamedTuple):
    """A recalibrated version: its bytes and what they hold, its line in the manifest, its card; whether it pays.

    It does where later outcomes speak for it.
    """

    artefact: bytes
    content: Mapping[str, Any]
    entry: Entry
    card: str
    pays: bool


class _Outcomes(NamedTuple):
    """What the model says without any shift, what came of it, and of which alert that is."""

    says: Floats
    label: Flags
    alerts: Examples

    def take(self, chosen: Flags) -> _Outcomes:
        return _Outcomes(self.says[chosen], self.label[chosen], self.alerts.take(chosen))


def recalibrate(
    base: Base, heard: Mapping[str, TreeScorer], replayed: Replayed, version: str, *, since: int | None = None
) -> Recalibrated:
    """Shift a version's scores by district.

    Parameters
    ----------
    base : Base
    heard : mapping of str to TreeScorer
        Of ``donor_seeker_match`` those that it hears, by name.
    replayed : Replayed
    version : str
        Of what is made.
    since : int, optional
        Only alerts from this instant on count, microseconds, unless given after ``LEARNED_SHARE`` of the time; what
        came before is in their features all the same.

    Raises
    ------
    ValueError
        If there are too few outcomes to say anything.
    """
    entry = base.entry
    scorer = scorer_of(base.content, sha256=entry.sha256)
    examples = replayed.examples
    if since is None:
        first, last = (int(examples.at[0]), int(examples.at[-1])) if examples.at.size else (0, 0)
        since = first + int((last - first) * LEARNED_SHARE)
    examples = examples.take(examples.at >= since)
    outcomes = _outcomes(scorer, heard, examples)
    at = first_asked_at(outcomes.alerts)
    is_later = at >= np.quantile(at, FIT_SHARE) if at.size else np.zeros(0, np.bool_)
    earlier, later = outcomes.take(~is_later), outcomes.take(is_later)
    _check(entry.name, earlier, later)
    alerts = earlier.alerts
    shifts = shifts_by_district(earlier.says, earlier.label, alerts.district, alerts.donor_id)
    by_district = {DISTRICTS[code].name: shift for code, shift in shifts.by_code.items() if shift}
    content = {**base.content, "version": version, "districts": by_district}
    artefact = artefact_bytes(content)
    before = _shifted(later, scorer.districts)
    after = _shifted(later, by_district)
    metrics = probabilities_of(later.label, {"model": after, "before": before}, later.alerts.request_id, SEED)
    metrics["by_district"] = _districts(earlier, later, shifts, {"before": before, "after": after})
    told = {
        **replayed.origin,
        "recalibrates": {"version": entry.version, "sha256": entry.sha256},
        **({"hears": entry.training_data["hears"]} if "hears" in entry.training_data else {}),
        "since": instant_text(since),
        "n_rows_fit": int(earlier.label.size),
        "n_rows_judged": int(later.label.size),
        "share_of_districts_that_differ": shifts.share,
        "dispersion": shifts.dispersion,
    }
    made = entry_of(entry.name, version, artefact, training_data=told, metrics=metrics)
    made = replace(made, reference=entry.reference)  # drift is from what the trees were judged on, not from what moved
    card = recalibrated_card_of(made, len(artefact))
    return Recalibrated(artefact, content, made, card, log_loss(later.label, after) < log_loss(later.label, before))


def recalibrated_panel(bases: Sequence[Base], replayed: Replayed, *, since: int | None = None) -> Panel:
    """Recalibrate all models of donors; of those for which later outcomes don't speak, the base stays.

    Parameters
    ----------
    bases : sequence of Base
        In the order of ``Panel``.
    replayed, since
        As ``recalibrate`` takes them.

    Raises
    ------
    ValueError
        If there are too few outcomes to say anything.
    """
    bare = {base.entry.name: scorer_of(base.content, sha256=base.entry.sha256) for base in bases}
    found = []
    for base in bases:
        made = recalibrate(base, bare, replayed, f"{base.entry.version}-recalibrated", since=since)
        of_made = scorer_of(made.content, sha256=made.entry.sha256)
        found.append(of_made if made.pays else bare[base.entry.name])
    return Panel(*found)


def _outcomes(scorer: TreeScorer, heard: Mapping[str, TreeScorer], examples: Examples) -> _Outcomes:
    """Return what a model says of alerts of which it can be told whether it was right."""
    if scorer.name == MATCH:
        known = examples.take(~examples.stopped)
        rows = match_view(known, heard[AVAILABILITY], heard[RELIABILITY]).rows
        return _Outcomes(scorer.predict(rows), known.gave, known)
    if scorer.name == AVAILABILITY:
        return _Outcomes(scorer.predict(availability_view(examples)), examples.accepted, examples)
    if scorer.name == RELIABILITY:
        known, kept = known_promises(examples)
        return _Outcomes(scorer.predict(reliability_view(known)), kept, known)
    waiting = waiting_view(examples)
    return _Outcomes(scorer.predict(waiting.rows), waiting.answered, examples.take(waiting.example))


def _shifted(outcomes: _Outcomes, by_district: Mapping[str, float]) -> Floats:
    shift = shifts_of(by_district, [*DISTRICT_CODE, ""])  # the last is that of no district
    return outcomes.says if shift is None else shifted(outcomes.says, shift[outcomes.alerts.district])


def _districts(
    earlier: _Outcomes, later: _Outcomes, shifts: Shifts, scores: Mapping[str, Floats]
) -> dict[str, dict[str, Any]]:
    """Return for each district what shifted it, and observed ÷ expected of what came later, with its interval."""
    found: dict[str, dict[str, Any]] = {}
    for code, shift in sorted(shifts.by_code.items()):
        of, then = earlier.alerts.district == code, later.alerts.district == code
        told: dict[str, Any] = {
            "outcomes": int(np.count_nonzero(of)),
            "yes": int(np.count_nonzero(earlier.label[of])),
            "shift": shift,
            "later": int(np.count_nonzero(then)),
            "later_yes": int(np.count_nonzero(later.label[then])),
        }
        for name, score in scores.items() if then.any() else ():
            told[name] = observed_by_expected(later.label[then], score[then], later.alerts.request_id[then])
        found[DISTRICTS[code].name] = told
    return found


def observed_by_expected(label: Flags, score: Floats, request_id: NDArray[np.int64]) -> list[float]:
    """Return observed ÷ expected with its 95 % interval, by a bootstrap over requests."""
    found = with_interval(
        lambda places: float(label[places].sum()) / max(float(score[places].sum()), 1e-12), request_id, seed=SEED
    )
    return [round(one, 4) for one in found]


def _check(name: str, *parts: _Outcomes) -> None:
    for part in parts:
        n_true = int(np.count_nonzero(part.label))
        if min(n_true, part.label.size - n_true) < LABELS_MIN:
            message = f"{name}: {part.label.size} outcomes, {n_true} of them with a yes, are too few to recalibrate by"
            raise ValueError(message)
