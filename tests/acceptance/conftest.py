"""Each test has a prefix and a database of its own, on the broker and the Postgres of the session."""

from __future__ import annotations

import pytest

from smartblood.storage.schema import upgrade
from tests.acceptance.system import System


@pytest.fixture(scope="session")
def with_tables(postgres):
    """The name of a database that has the tables, to be copied."""
    postgres.create_database("with_tables")
    upgrade(postgres.url_of("with_tables"))
    return "with_tables"


@pytest.fixture
def make_system(broker, postgres, with_tables, tmp_path):
    """Makes systems; the partitions can be chosen, since two hundred are more than most tests need."""
    made = []
    n_made = 0

    def make(*, donor=4, request=4, output=2, by_commands=False, **settings):
        nonlocal n_made
        n_made += 1
        name = f"a{tmp_path.name[-18:].replace('_', '-').lower()}{n_made}"
        database = f"{name}-{id(made) % 10**6}"
        postgres.create_database(database, **({} if by_commands else {"template": with_tables}))
        folder = tmp_path / f"system-{n_made}"
        folder.mkdir()
        system = System(
            broker.bootstrap_servers,
            postgres.url_of(database),
            f"{database}-",
            folder,
            {
                "SMARTBLOOD_DONOR_PARTITIONS": str(donor),
                "SMARTBLOOD_REQUEST_PARTITIONS": str(request),
                "SMARTBLOOD_OUTPUT_PARTITIONS": str(output),
            }
            | settings,
        )
        made.append((system, database))
        if by_commands:
            system.prepare()
        else:
            system.make_topics()
        return system

    yield make
    for system, database in made:
        system.end()
        system.drop_topics()
        postgres.drop_database(database)


@pytest.fixture
def system(make_system):
    return make_system()


@pytest.fixture
def outsider(system):
    client = system.outsider()
    yield client
    client.close()


@pytest.fixture
def tables(system):
    return system.tables()
