"""Trained models: the only place where their files are read, and only after their digests were checked.

``model_map.json`` is the manifest of a folder of artefacts; ``builders`` says which features the project computes for
each model; ``trees`` evaluates LightGBM's trees, bit for bit as LightGBM does but several times faster; ``scorer``
puts the two behind the core's ``Scorer``.
"""

from __future__ import annotations

from smartblood.registry.loading import Finding, load_champion, load_released, load_version, verify
from smartblood.registry.manifest import Entry, Manifest, read_manifest
from smartblood.registry.scorer import TreeScorer

__all__ = [
    "Entry",
    "Finding",
    "Manifest",
    "TreeScorer",
    "load_champion",
    "load_released",
    "load_version",
    "read_manifest",
    "verify",
]
