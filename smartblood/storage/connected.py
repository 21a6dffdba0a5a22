"""What the classes of this door have in common: connections to one Postgres."""

from __future__ import annotations

from smartblood.storage.engine import engine_of
from smartblood.storage.steps import require_up_to_date


class Connected:
    """Something in Postgres; it connects when it is first asked for something.

    Parameters
    ----------
    url : str
        SQLAlchemy's URL.

    Raises
    ------
    Fatal
        If the URL is none of Postgres.
    """

    def __init__(self, url: str) -> None:
        self._engine = engine_of(url)

    def require_up_to_date(self) -> None:
        """Refuse to work where a migration is pending; raises as ``steps.require_up_to_date`` does."""
        require_up_to_date(self._engine)

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()
