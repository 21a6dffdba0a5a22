"""A real Postgres with the tables, a sink into it, and somebody who asks it."""

import pytest
from sqlalchemy import create_engine, text

from smartblood.storage.performance import Judgements
from smartblood.storage.schema import upgrade
from smartblood.storage.sink import Sink
from tests.integration.recording.sink_world import empty


@pytest.fixture(scope="module")
def engine(postgres):
    postgres.create_database("sink")
    upgrade(postgres.url_of("sink"))
    made = create_engine(postgres.url_of("sink"))
    yield made
    made.dispose()
    postgres.drop_database("sink")


@pytest.fixture
def sink(engine, postgres):  # noqa: ARG001 - the tables must be there
    made = Sink(postgres.url_of("sink"))
    empty(made)
    yield made
    made.close()


@pytest.fixture
def ask(engine):
    def run(statement):
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement)).mappings()]

    return run


@pytest.fixture
def judgements(sink, postgres):  # noqa: ARG001 - it is emptied
    made = Judgements(postgres.url_of("sink"))
    yield made
    made.close()
