"""At which step of their history the tables are, told without alembic: every worker asks, and few ever go a step.

Each step is a file of ``migrations/versions`` that begins with its number; a test holds it that alembic sees the same.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, text

from smartblood.errors import Fatal
from smartblood.storage.engine import translated

MIGRATIONS = Path(__file__).parent / "migrations"


def steps() -> list[str]:
    """Return the steps that this release knows, the first one first."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def require_up_to_date(engine: Engine) -> None:
    """Refuse to work on tables that this release doesn't know.

    Raises
    ------
    Fatal
        If a migration is pending, or the database is ahead of this release.
    Retryable
        If Postgres doesn't answer.
    """
    with translated("the migrations"), engine.connect() as connection:
        pending = pending_migrations(connection)
    if pending:
        raise Fatal(pending[0])


def pending_migrations(connection: Connection) -> list[str]:
    """Return one line where the database is not at this release's step."""
    known, at = steps(), _step_of(connection)
    if at == known[-1]:
        return []
    if at is not None and at not in known:
        return [f"the database is at migration {at}, which this release doesn't know: run the newer release"]
    return [f"migrations are pending (database at {at or 'none'}, release at {known[-1]}): run `smartblood db upgrade`"]


def _step_of(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    at: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return at
