"""What alembic runs: the connection is given to it by ``smartblood.storage.schema``."""

from __future__ import annotations

from alembic import context

from smartblood.storage.tables import METADATA


def run() -> None:
    """Migrate in the transaction that the caller has open."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
    with context.begin_transaction():
        context.run_migrations()


run()
