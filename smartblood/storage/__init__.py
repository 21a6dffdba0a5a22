"""The door to Postgres: nothing else in the project knows SQL.

Tables are in ``tables``, their history in ``migrations``; what one transaction of the recorder writes is drawn in
``sink``.
"""

from __future__ import annotations

from smartblood.storage.schema import check, upgrade

__all__ = ["check", "upgrade"]
