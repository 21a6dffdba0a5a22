"""Addresses of databases: what somebody sets in them is kept, and a password is shown nowhere."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from smartblood.cli.whole import without_password
from smartblood.storage.engine import engine_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@host/db", "postgresql://u:***@host/db"),
        ("postgresql://host/db?user=u&password=secret", "postgresql://host/db?user=u&password=***"),
        ("postgresql://u:secret@host/db?sslpassword=secret", "postgresql://u:***@host/db?sslpassword=***"),
        (
            "postgresql://u@host/db?options=-csearch_path%3Dblood",
            "postgresql://u@host/db?options=-csearch_path%3Dblood",
        ),
        ("postgresql+psycopg2:///db?host=/tmp/sock", "postgresql+psycopg2:///db?host=/tmp/sock"),
        ("postgresql:///db?host=/tmp/sock&password=secret", "postgresql:///db?host=/tmp/sock&password=***"),
        ("postgresql://u:secret@/db?host=/tmp/sock", "postgresql://u:***@/db?host=/tmp/sock"),
        ("postgresql://u:se@cret@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:se/cr#et?@host/db", "postgresql://u:***@host/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("", ""),
    ],
)
def test_a_password_is_not_shown_wherever_it_stands(url, shown):
    assert without_password(url) == shown


class RefusedError(Exception):
    pass


def arguments_of(url):
    """What reaches the driver."""
    engine, found = engine_of(url), {}

    @event.listens_for(engine, "do_connect")
    def _(_dialect, _record, _positional, arguments):
        found.update(arguments)
        raise RefusedError

    with pytest.raises(RefusedError):
        engine.connect()
    return found


def test_options_of_the_url_hold_beside_ours():
    found = arguments_of("postgresql://u@host/db?options=-csearch_path%3Dblood&connect_timeout=9")
    assert found["options"].startswith("-c timezone=UTC -c statement_timeout=")
    assert found["options"].endswith(" -csearch_path=blood")
    assert found["connect_timeout"] == "9"
    assert "search_path" not in arguments_of("postgresql://u@host/db")["options"]
