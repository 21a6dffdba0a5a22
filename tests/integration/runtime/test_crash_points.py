"""``donor-state`` and ``matching`` are killed at each step of the loop; each time all is as it is without the crash.

The processors are those that ``smartblood run`` makes, the events are real, and so is the broker. Most worlds see two
deaths, so that few worlds see all steps, and whoever dies second works on a memory that was restored.
"""

from __future__ import annotations

import uuid

import pytest

from tests import nursery
from tests.integration.runtime.crash_worlds import Worlds
from tests.integration.runtime.real_inputs import for_donor_state, for_matching
from tests.integration.runtime.real_outcomes import different, miscounted, outcome

pytestmark = pytest.mark.broker

GIVEN = {"donor-state": for_donor_state, "matching": for_matching}

OF_A_BATCH = ("fetched", "answered", "begun", "produced some", "produced", "offsets sent", "committed", "kept")
STEPS = {
    "donor-state": {*OF_A_BATCH, "restoring"},
    "matching": {*OF_A_BATCH, "restoring", "following", "settled", "caught up"},
}
OF_BOTH = (
    ("begun", "committed"),
    ("produced some", "kept"),
    ("produced", "fetched"),
    ("offsets sent", "restoring"),
)
SHORT = {
    "donor-state": (*OF_BOTH, ("answered",)),
    "matching": (*OF_BOTH, ("answered", "following"), ("caught up", "settled")),
}


def long(processor):
    """Each step, then while restoring, then that step again."""
    return {processor: [(step, "restoring", step) for step in sorted(STEPS[processor])]}


FORMS = [
    pytest.param(SHORT, id="short"),
    *(pytest.param(long(processor), id=f"long-{processor}", marks=pytest.mark.soak) for processor in GIVEN),
]


@pytest.fixture(scope="module", params=FORMS)
def worlds(request, broker, tmp_path_factory):
    """For each processor worlds in which it dies, and one in which it doesn't, when all is over."""
    nursery.begin()  # meanwhile
    prefix = f"t{uuid.uuid4().hex[:8]}-"
    made = Worlds(broker.bootstrap_servers, prefix, tmp_path_factory.mktemp("crashed"))
    for processor, crashes in request.param.items():
        given = GIVEN[processor]()
        for deaths in [(), *crashes]:
            made.make(processor, given, *deaths)
    try:
        made.pass_by()
        yield made
    finally:
        made.close()


def test_the_short_form_leaves_out_no_step():
    assert {processor: {step for deaths in crashes for step in deaths} for processor, crashes in SHORT.items()} == STEPS


def test_killed_at_each_step_they_leave_what_there_is_without_a_crash(worlds):
    topics = worlds.read()
    outcomes = {world: outcome(topics[world.name], world.given, worlds.prefix + world.name) for world in worlds.made}
    without = {world.processor: outcomes[world] for world in worlds.made if not world.deaths}
    lines = [
        f"{world}: {line}"
        for world, found in outcomes.items()
        for line in [
            *world.trouble,
            *miscounted(topics[world.name], world.given),
            *different(without[world.processor], found),
        ]
    ]
    lines += worlds.what_is_open()
    assert lines == [], "\n".join(lines[:50])
    assert min(len(written) for found in without.values() for written in found.values()) > 3
