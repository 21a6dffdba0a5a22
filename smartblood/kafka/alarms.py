"""What a person should know of a batch, on one line each: places, kinds and counts, never what a record says."""

from __future__ import annotations

from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger

from smartblood.kafka.batches import Item
from smartblood.kafka.halving import Culprit
from smartblood.logs import place


def alarm_of(log: FilteringBoundLogger, items: Sequence[Item], culprits: Sequence[Culprit]) -> None:
    """Say which records of a committed batch were refused or sent on."""
    refused = [(item.record, item.error.kind) for item in items if item.error is not None]
    refused.extend((culprit.item.record, "code") for culprit in culprits)
    if refused:
        record, kind = refused[0]
        log.warning("records refused", n_refused=len(refused), first_kind=kind, **place(record))
    strays = [item for item in items if item.home is not None]
    if strays:
        first = strays[0]
        log.warning(
            "records sent on: an upstream partitions by another hash than murmur2",
            n_forwarded=len(strays),
            to_partition=first.home,
            **place(first.record),
        )


def alarm_of_followed(log: FilteringBoundLogger, unread: Sequence[str]) -> None:
    """Say that followed records could not be read."""
    log.warning("followed records can't be read", n_unread=len(unread), first=unread[0])
