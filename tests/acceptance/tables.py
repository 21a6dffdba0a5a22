"""The database as the back end sees it; no module of the project is used here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg2


class Tables:
    """The database as the back end sees it."""

    def __init__(self, url: str) -> None:
        self._dsn = url.replace("postgresql+psycopg2://", "postgresql://")

    def query(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self._dsn, connect_timeout=5)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, arguments or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        connection = psycopg2.connect(self._dsn, connect_timeout=5)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, arguments or None)
                names = [column.name for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            connection.close()

    def until(self, sql: str, enough: Callable[[Any], bool], *, within_s: float) -> Any:
        """Ask for one value until it is ``enough``."""
        give_up_at = time.monotonic() + within_s
        while True:
            try:
                ((value,),) = self.query(sql)
                if enough(value):
                    return value
            except psycopg2.OperationalError:
                value = "no connection"
            assert time.monotonic() < give_up_at, f"after {within_s} s not yet: {sql} says {value}"
            time.sleep(0.2)
