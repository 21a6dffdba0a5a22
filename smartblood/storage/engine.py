"""Connections to Postgres, and what its errors mean.

=============================================================  ==================  ==================================
Postgres, or the client, says                                  seen as             what is done
=============================================================  ==================  ==================================
connection refused, lost; shutting down, starting, no room;    Retryable           wait, connect anew, read the
deadlock                                                                           offsets, go on from there
a statement timed out                                          TooSlow             the same, with smaller batches
value out of range, bad text, constraint broken                RefusedByDatabase   halve, find the record, refuse it
no such database, user, right, table                           Fatal               stop: a setting is wrong
=============================================================  ==================  ==================================
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from smartblood.errors import Fatal, Retryable

CONNECT_WITHIN_S = 5
STATEMENT_MS_MAX = 8_000
IDLE_IN_TRANSACTION_MS_MAX = 5_000
"""A worker that was stopped in the middle of a transaction must not keep its locks: its successor waits for them."""

_FATAL_STATES = frozenset({"3D000", "28000", "28P01", "42501", "42P01", "42703", "42P10", "42883", "3F000", "0A000"})
_STATEMENT_TIMED_OUT = "57014"
_REFUSING_CLASSES = ("21", "22", "23", "44")
_ADVICE = {
    "3D000": "create the database, or name another in SMARTBLOOD_DATABASE_URL",
    "28000": "set other credentials in SMARTBLOOD_DATABASE_URL",
    "28P01": "set other credentials in SMARTBLOOD_DATABASE_URL",
    "42501": "grant the right, or set other credentials in SMARTBLOOD_DATABASE_URL",
    "42P01": "run `smartblood db upgrade`",
    "42703": "run `smartblood db upgrade`",
    "42P10": "run `smartblood db upgrade`",
}


class RefusedByDatabase(Exception):  # noqa: N818 - what happened, not what went wrong with us
    """Postgres can't hold a value of the batch: {what it says}.

    Parameters
    ----------
    reason : str
        One line without the value.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooSlow(Retryable):
    """A statement took longer than is allowed: {what was being done}; with fewer rows it may pass."""


def engine_of(url: str) -> Engine:
    """Return an engine for Postgres with the timeouts that keep one worker from holding up another.

    Raises
    ------
    Fatal
        If the URL is none, or not of Postgres.
    """
    parsed = _parsed(url)
    options = {
        "timezone": "UTC",
        "statement_timeout": STATEMENT_MS_MAX,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS_MAX,
        "application_name": "smartblood",
    }
    ours = " ".join(f"-c {name}={value}" for name, value in options.items())
    theirs = parsed.query.get("options", "")
    connect_args: dict[str, object] = {
        "connect_timeout": parsed.query.get("connect_timeout", CONNECT_WITHIN_S),
        # Of two settings of one name the later holds: what somebody set in the URL is meant, a schema to work in too.
        "options": " ".join([ours, *([theirs] if isinstance(theirs, str) else theirs)]).strip(),
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": STATEMENT_MS_MAX,
    }
    return create_engine(parsed, connect_args=connect_args, pool_pre_ping=False, pool_size=1, max_overflow=4)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        dialect = parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        message = "SMARTBLOOD_DATABASE_URL: not a URL of SQLAlchemy, such as postgresql+psycopg2://user@host/database"
        raise Fatal(message) from error
    if dialect.name != "postgresql":
        message = f"SMARTBLOOD_DATABASE_URL: {dialect.name} is not supported, name a Postgres"
        raise Fatal(message)
    return parsed.set(drivername="postgresql+psycopg2")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translate errors of the database, once, at the door.

    Parameters
    ----------
    what : str
        What was being done.

    Raises
    ------
    Retryable
        If the same may work later.
    RefusedByDatabase
        If a value can't be held.
    Fatal
        If a setting is wrong or a migration is pending.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translation(error, what) from error
    except (PoolTimeout, ResourceClosedError, DisconnectionError) as error:
        message = f"{what}: {type(error).__name__}"
        raise Retryable(message) from error


def _translation(error: DBAPIError, what: str) -> Exception:
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None) or ""
    said = _said(error)
    if state in _FATAL_STATES:
        return Fatal(f"Postgres refuses {what}: {said}: {_ADVICE.get(state, 'see its log')}")
    if not error.connection_invalidated and state.startswith(_REFUSING_CLASSES):
        return RefusedByDatabase(f"{said} ({state})")
    if not state and _is_wrong_setting(said):
        return Fatal(f"Postgres refuses {what}: {said}: look at SMARTBLOOD_DATABASE_URL")
    if state == _STATEMENT_TIMED_OUT:
        return TooSlow(f"Postgres took longer than {STATEMENT_MS_MAX / 1000:.0f} s for a part of {what}")
    advice = "; is Postgres running where SMARTBLOOD_DATABASE_URL says?" if not state else ""
    return Retryable(f"Postgres doesn't do {what} now: {said}{advice}")


def _said(error: DBAPIError) -> str:
    """Return the first line alone: those after it quote values."""
    diagnosis = getattr(error.orig, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    lines = str(primary or error.orig).strip().splitlines()
    return lines[0][:200] if lines else type(error.orig).__name__


def _is_wrong_setting(said: str) -> bool:
    """Whether a failed connection (which carries no state) failed for good; libpq says so in words alone."""
    return any(words in said for words in ("password authentication failed", "does not exist", "no pg_hba.conf entry"))
