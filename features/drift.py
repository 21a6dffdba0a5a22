"""How far what a model sees has moved from what it learned from: the population stability index of each feature.

References
----------
Siddiqi, "Credit Risk Scorecards", 2006, chapter 9 (below 0.1 nothing to speak of, above 0.25 another population).
Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model Validation 2020
(what chance alone gives: about the number of bins less one, by the number of examples).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_BINS = 10
SHARE_MIN = 1e-4
"""An empty bin is taken to hold so much: nothing divides by it otherwise."""

EDGE_DECIMALS, SHARE_DECIMALS = 6, 6


class Reference(NamedTuple):
    """How a feature was spread where a model learned.

    Parameters
    ----------
    edges : tuple of float
        Where one bin ends and the next begins, ascending; a value at an edge lies above it.
    shares : tuple of float
        Of each bin, lowest first, one more than there are edges; and last of what is not known (NaN).
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]


def reference_of(values: Floats) -> Reference:
    """Return how a feature is spread: each value a bin where there are few, else ten bins of about equal numbers.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN where it isn't known.
    """
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if distinct.size <= N_BINS:
        edges = (distinct[1:] + distinct[:-1]) / 2
    else:
        edges = np.quantile(known, np.arange(1, N_BINS) / N_BINS)
    edges = np.unique(np.round(edges, EDGE_DECIMALS))
    edges = edges[edges > distinct[0]] if distinct.size else edges
    shares = np.round(_shares(edges, values), SHARE_DECIMALS)
    return Reference(tuple(edges.tolist()), tuple(shares.tolist()))


def references_of(rows: Floats, names: Sequence[str]) -> dict[str, Reference]:
    """Return how each column of ``rows``, shape (n, n_features), is spread."""
    return {name: reference_of(rows[:, place]) for place, name in enumerate(names)}


def as_json(references: Mapping[str, Reference]) -> dict[str, Any]:
    """Return references as JSON data."""
    return {name: {"edges": list(one.edges), "shares": list(one.shares)} for name, one in references.items()}


def from_json(data: Mapping[str, Any]) -> dict[str, Reference]:
    """Return references of JSON data.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = {}
    for name, one in data.items():
        try:
            reference = Reference(tuple(map(float, one["edges"])), tuple(map(float, one["shares"])))
        except (KeyError, TypeError) as error:
            message = f"{name}: no edges and shares"
            raise ValueError(message) from error
        if len(reference.shares) != len(reference.edges) + 2 or list(reference.edges) != sorted(reference.edges):
            message = f"{name}: {len(reference.edges)} edges make no {len(reference.shares)} shares"
            raise ValueError(message)
        found[str(name)] = reference
    return found


def stability_index(reference: Reference, values: Floats) -> float:
    """Return the population stability index of a feature: 0 where it is spread as it was.

    Parameters
    ----------
    reference : Reference
    values : ndarray of float64, shape (n,)
        What is seen now, at least one; NaN where it isn't known.
    """
    expected = np.maximum(reference.shares, SHARE_MIN)
    found = np.maximum(_shares(np.array(reference.edges), values), SHARE_MIN)
    return float(np.sum((found - expected) * np.log(found / expected)))


def _shares(edges: Floats, values: Floats) -> Floats:
    is_known = ~np.isnan(values)
    counts = np.bincount(np.searchsorted(edges, values[is_known], side="right"), minlength=edges.size + 1)
    return np.append(counts, np.count_nonzero(~is_known)) / max(values.size, 1)
