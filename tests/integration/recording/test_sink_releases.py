"""``model_artifacts`` shows the champions: worked out of all releases, and of what artefacts there are."""

import pytest

from smartblood.storage.artefacts import Artefact
from smartblood.storage.sink import Sink
from tests.integration.recording.sink_world import empty, put
from tests.record_events import AT, MINUTE, an_id, event

pytestmark = pytest.mark.broker

MODEL = "donor_seeker_match"
TOPIC = "p-model-released"
SHOWN = "SELECT model_name, version, artifact_path, is_active, deployed_at IS NULL AS is_default FROM model_artifacts"


def artefact(version, *, is_default=False):
    return Artefact(version, version * 64, f"{version}.joblib", {"features": [1]}, AT - 9 * MINUTE, is_default)


THERE = {MODEL: [artefact("1", is_default=True), artefact("2"), artefact("3")]}


@pytest.fixture
def sink(engine, postgres):  # noqa: ARG001 - the tables must be there
    made = Sink(postgres.url_of("sink"), tell_artefacts=lambda: THERE, releases_topic=TOPIC)
    empty(made)
    yield made
    made.close()


def released(n, version, role, **changes):
    of = {"model": MODEL, "version": version, "sha256": version * 64, "role": role, "share": 0.0} | changes
    return "model-released", event("model-released", event_id=an_id(n), occurred_at=AT + n * MINUTE, **of)


def shown(ask):
    (row,) = ask(SHOWN)
    return row["version"], row["is_default"]


def test_the_default_is_shown_until_something_is_released_and_again_when_all_is_retired(sink, ask):
    sink.show_models()
    assert ask(SHOWN) == [
        {"model_name": MODEL, "version": "1", "artifact_path": "1.joblib", "is_active": True, "is_default": True}
    ]
    seen = []
    for n, (version, role) in enumerate(
        [("2", "CHAMPION"), ("3", "SHADOW"), ("3", "CHAMPION"), ("3", "RETIRED"), ("2", "RETIRED")], 1
    ):
        put(sink, released(n, version, role), offset=n)
        seen.append(shown(ask))
        sink.show_models()
        assert shown(ask) == seen[-1]
    assert seen == [("2", False), ("2", False), ("3", False), ("2", False), ("1", True)]
    (row,) = ask("SELECT metadata_json, created_at = updated_at AS as_it_was FROM model_artifacts")
    assert row == {"metadata_json": {"features": [1]}, "as_it_was": True}


def test_a_release_of_what_is_not_there_or_has_another_digest_is_kept_and_not_shown(sink, ask):
    put(sink, released(1, "2", "CHAMPION"), offset=1)
    put(sink, released(2, "7", "CHAMPION"), released(3, "3", "CHAMPION", sha256="0" * 64), offset=2)
    assert shown(ask) == ("2", False)
    assert [row["role"] for row in ask("SELECT role FROM model_releases ORDER BY release_offset")] == ["champion"] * 3


def test_a_release_that_is_repeated_is_no_second_word(sink, ask):
    put(sink, released(1, "2", "CHAMPION"), offset=1)
    put(sink, released(2, "3", "CHAMPION"), offset=2)
    put(sink, released(1, "2", "CHAMPION"), offset=3)
    assert shown(ask) == ("3", False)


def test_models_without_an_artefact_are_not_shown(sink, ask):
    put(sink, released(1, "1", "CHAMPION", model="demand_forecast"), offset=1)
    assert ask(SHOWN) == []


def test_what_was_released_on_a_topic_that_is_gone_has_no_say(sink, ask):
    place, other = (TOPIC, 0), ("p-matches", 0)
    sink.positions({place: "one", other: "one"})
    put(sink, released(1, "3", "CHAMPION"), offset=100)
    sink.positions({place: "one", other: "two"})
    assert shown(ask) == ("3", False)
    assert sink.positions({place: "two", other: "two"}) == {place: 0, other: 0}
    assert shown(ask) == ("1", True)
    assert ask("SELECT 1 FROM model_releases") == []
    put(sink, released(2, "2", "CHAMPION"), offset=0)
    sink.positions({place: "two", other: "two"})
    assert shown(ask) == ("2", False)


def test_a_model_of_which_no_artefact_can_be_used_any_more_is_not_active(sink, ask, monkeypatch):
    asked = f"SELECT version, is_active FROM model_artifacts WHERE model_name = '{MODEL}'"
    put(sink, released(1, "3", "CHAMPION"), offset=1)
    for there, is_active in (({}, True), ({MODEL: []}, False), (THERE, True), ({MODEL: [artefact("2")]}, False)):
        monkeypatch.setattr(sink, "_tell_artefacts", lambda there=there: there)
        sink.show_models()
        assert ask(asked) == [{"version": "3", "is_active": is_active}], "where no manifest can be read, nobody knows"
