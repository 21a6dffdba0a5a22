"""The wiring: which processor answers to which name, and what it is given.

Everything is imported when it is asked for: recording needs no model, and donor state no database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from schemas.codec import Codec
from smartblood.settings import Settings


class Worker(Protocol):
    """What does the work of one processor in one process."""

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then finish or abort what is open, within 10 s."""


def work(name: str, settings: Settings, slot: str, stop: threading.Event) -> None:
    """Run one worker of the processor ``name`` until ``stop`` is set.

    Raises
    ------
    Fatal
        If it can't work with these settings.
    """
    WORKERS[name](settings, slot).run(stop)


def donor_state(settings: Settings, slot: str) -> Worker:
    """Return a worker that folds events of donors into ``donor-states``."""
    from consumers.donor_state import DonorState  # noqa: PLC0415 - see the module's docstring
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.loop import Loop  # noqa: PLC0415

    return Loop(DonorState(codec(settings)), Cluster.of(settings), slot)


def matching(settings: Settings, slot: str) -> Worker:
    """Return a worker that answers requests with ``matches``."""
    from consumers.matching import Matching  # noqa: PLC0415
    from smartblood.kafka.client import Cluster  # noqa: PLC0415
    from smartblood.kafka.loop import Loop  # noqa: PLC0415
    from smartblood.registry import load_champion  # noqa: PLC0415

    scorer = load_champion(settings.models_dir, "donor_seeker_match")
    return Loop(Matching(codec(settings), scorer), Cluster.of(settings), slot)


def recording(settings: Settings, slot: str) -> Worker:
    """Return a worker that keeps the record in Postgres."""
    from smartblood.storage.recorder import Recorder  # noqa: PLC0415

    return Recorder(settings, slot)


WORKERS: dict[str, Callable[[Settings, str], Worker]] = {
    "donor-state": donor_state,
    "matching": matching,
    "recording": recording,
}


def codec(settings: Settings) -> Codec:
    """Return the codec, with the schema registry that is set or the project's own ids."""
    if settings.schema_registry_url is None:
        return Codec()
    from smartblood.schema_registry import HttpSchemaRegistry  # noqa: PLC0415

    return Codec(HttpSchemaRegistry(settings.schema_registry_url))
