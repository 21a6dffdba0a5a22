"""Bringing the tables up to date, and saying what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select, text

from smartblood.errors import Fatal
from smartblood.storage.engine import RefusedByDatabase, engine_of, translated
from smartblood.storage.tables import METADATA

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 7_352_911_001
"""Key of the advisory lock that lets one process at a time migrate."""


def upgrade(url: str) -> None:
    """Make the tables, or bring them up to date; several processes may ask at once.

    Raises
    ------
    Retryable
        If Postgres doesn't answer.
    Fatal
        If it refuses.
    """
    engine = engine_of(url)
    try:
        with translated("the migrations"), engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            command.upgrade(_config(connection), "head")
    except RefusedByDatabase as error:
        message = f"Postgres refuses the migrations: {error.reason}: the tables hold what they shouldn't"
        raise Fatal(message) from error
    finally:
        engine.dispose()


def check(url: str) -> list[str]:
    """Return what differs between the database and what this release needs, a line each; nothing where all is well.

    Raises
    ------
    Retryable
        If Postgres doesn't answer.
    Fatal
        If it refuses.
    """
    engine = engine_of(url)
    try:
        with translated("the tables"), engine.connect() as connection:
            pending = pending_migrations(connection)
            return pending or [_line(difference) for difference in _differences(connection)]
    finally:
        engine.dispose()


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
    script = ScriptDirectory.from_config(_config(connection))
    head = script.get_current_head()
    at = MigrationContext.configure(connection).get_current_revision()
    if at == head:
        return []
    known = {step.revision for step in script.walk_revisions()}
    if at is not None and at not in known:
        return [f"the database is at migration {at}, which this release doesn't know: run the newer release"]
    return [f"migrations are pending (database at {at or 'none'}, release at {head}): run `smartblood db upgrade`"]


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _differences(connection: Connection) -> list[Any]:
    """Compare what is ours; tables of others (the back end has its own) are none of our business."""
    context = MigrationContext.configure(
        connection,
        opts={"compare_type": True, "compare_server_default": True, "include_object": _is_ours},
    )
    return list(compare_metadata(context, METADATA))


def _is_ours(item: Any, _name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:  # noqa: ANN401 - alembic's
    table = item if kind == "table" else getattr(item, "table", None)
    return table is None or table.name in METADATA.tables


def _line(difference: Any) -> str:  # noqa: ANN401 - alembic's tuples
    if isinstance(difference, list):
        return "; ".join(_line(part) for part in difference)
    what, *where = difference
    names = [str(getattr(part, "name", part)) for part in where if part is not None and not isinstance(part, dict)]
    return f"{what.replace('_', ' ')}: {' '.join(names)}"
