"""``maintenance-triggered`` → ``maintenance``: of each schedule the latest slot; who does the work reads it there."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.recording.rows import MaintenanceRow
from consumers.recording.texts import text_of
from schemas.records import Event


def maintenance_row(event: Event) -> MaintenanceRow:
    """Return what a trigger says."""
    return MaintenanceRow(text_of(event["schedule"]), event["slot_at"])


def folded_maintenance(rows: Iterable[MaintenanceRow]) -> list[MaintenanceRow]:
    """Return one row a schedule, the latest slot; by schedule."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.schedule] = max(row.due_at, found.get(row.schedule, row.due_at))
    return [MaintenanceRow(schedule, found[schedule]) for schedule in sorted(found)]
