"""How what each model sees is spread among the alerts that it was judged on: what drift is measured against.

Not among those that it was fitted on: the earliest of a world that begins with nothing known of anybody, of which even
later alerts of the same world would be said to have drifted. The figures on its card hold for these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from features.drift import as_json, references_of
from features.response_time import N_STRETCHES
from features.scoring import Scorer
from features.vectors import AVAILABILITY, FEATURES, MATCH, RELIABILITY
from smartblood.training.examples import Examples
from smartblood.training.views import availability_view, chances_view, match_view, reliability_view


def reference(name: str, examples: Examples, heard: tuple[Scorer, ...] = ()) -> dict[str, Any]:
    """Return for each feature of a model how it is spread among alerts, as JSON data.

    Parameters
    ----------
    name : str
        The model.
    examples : Examples
        All who were asked, whatever came of it: so are those whom it will be measured on.
    heard : tuple of Scorer
        The models that ``donor_seeker_match`` hears: of availability, of reliability.

    Returns
    -------
    dict
        As ``features.drift.as_json`` makes it, without what isn't seen of a donor: for how long one has waited.
    """
    if name == MATCH:
        rows = match_view(examples, *heard).rows
    elif name == AVAILABILITY:
        rows = availability_view(examples)
    elif name == RELIABILITY:
        rows = reliability_view(examples)
    else:
        rows = chances_view(examples)[::N_STRETCHES]
    names = FEATURES[name]
    for place in (place for place, of in enumerate(names) if of == "donor_age"):
        rows[:, place] = np.round(rows[:, place])  # as offers tell it
    found = references_of(rows, names)
    found.pop("waited_minutes", None)
    return as_json(found)
