"""What the workers of a processor import and compile before they know their settings, done once for all of them.

A nursery (``smartblood.nursery``) does it and forks. So nothing here may start a thread, open a connection, or import
the metrics: those take to one folder when they are imported, and each worker has to be able to choose its own.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterable

EVERYBODY = (
    "click",
    "confluent_kafka.admin",
    "smartblood.cli.run",
    "smartblood.kafka.client",
    "smartblood.kafka.schema_registry",
    "smartblood.logs",
    "smartblood.processors",
)

OF_NAME = {
    "donor-state": ("consumers.donor_state",),
    "matching": ("consumers.matching", "smartblood.registry.loading"),
    "recording": (
        "smartblood.performance.judgement",
        "smartblood.storage.demand",
        "smartblood.storage.performance",
        "smartblood.storage.tables",
        "smartblood.storage.upkeep",
        "sqlalchemy.dialects.postgresql.psycopg2",
    ),
    "forecasting": (
        "consumers.forecasting",
        "smartblood.registry.loading",
        "smartblood.storage.demand_days",
        "sqlalchemy.dialects.postgresql.psycopg2",
    ),
    "scheduling": ("producers.scheduling.scheduler", "smartblood.scheduling.file"),
}
"""Modules by the name of the processor that needs them."""


def preload(names: Iterable[str]) -> None:
    """Import and compile what the processors ``names`` need, and keep the garbage collector off it.

    What can't be had is passed over: the worker that needs it meets the same, and says so in its own way.
    """
    chosen = dict.fromkeys(names)
    gc.disable()  # nothing of what is imported is garbage
    try:
        for module in dict.fromkeys([*EVERYBODY, *(module for name in chosen for module in OF_NAME[name])]):
            importlib.import_module(module)
        if "matching" in chosen:
            _compile()
    except Exception:  # noqa: BLE001, S110 - see above
        pass
    gc.freeze()
    gc.enable()


def _compile() -> None:
    """Load the matcher's compiled kernels, which takes longer than to import it."""
    from consumers.matching import Matching  # noqa: PLC0415 - of those who match alone
    from schemas.codec import Codec  # noqa: PLC0415
    from smartblood.registry.loading import load_panel  # noqa: PLC0415
    from smartblood.settings import load  # noqa: PLC0415

    settings = load()
    Matching(Codec(), load_panel(settings.models_dir, pinned=settings.models_map_sha256)).warm()
