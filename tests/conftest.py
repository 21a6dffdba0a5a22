"""The broker and the database of a test run, started once for all of it on free ports, in folders of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import settings

from smartblood.local.broker import LocalBroker
from smartblood.local.postgres import LocalPostgres

settings.register_profile("shared machine", deadline=None)  # how long an example takes says nothing here
settings.load_profile("shared machine")

# A folder of this run's own: pytest closes the one that all runs share to other users, whenever a run begins, and
# Postgres, which root runs as another user, would lose its data.
FOLDER = tempfile.mkdtemp(prefix="smartblood-tests-")
os.environ["PYTEST_DEBUG_TEMPROOT"] = FOLDER

for name in [name for name in os.environ if name.startswith("SMARTBLOOD_")]:
    del os.environ[name]  # what the developer has set is not what is tested


@pytest.hookimpl(trylast=True)  # after the servers have ended
def pytest_sessionfinish(exitstatus):
    """Leave the run's files only where a test failed."""
    if exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """A broker that all tests share; each keeps to topics of its own prefix."""
    with LocalBroker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """A broker that the tests of a module may kill.

    The one that all share holds more than a thousand partitions by and by, and once killed needs half a minute to
    recover their logs.
    """
    with LocalBroker(tmp_path_factory.mktemp("killed")) as running:
        yield running


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A Postgres that all tests share; each keeps to a database of its own."""
    with LocalPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as running:
        yield running


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has."""
    return f"t{uuid.uuid4().hex[:8]}-"


@pytest.fixture
def database_url(postgres: LocalPostgres) -> Iterator[str]:
    """An empty database, dropped afterwards."""
    database = f"t{uuid.uuid4().hex[:8]}"
    postgres.create_database(database)
    yield postgres.url_of(database)
    postgres.drop_database(database)
