import json

import pytest

from schemas.catalogue import latest_schema
from schemas.codec import FRAME, Codec
from schemas.errors import InvalidRecord
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.schema_registry import HttpRegistry, codec_of
from smartblood.settings import load
from tests.registry_double import Double


class Time:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, wait_s: float) -> None:
        self.now += wait_s


@pytest.fixture
def double():
    running = Double()
    yield running
    running.stop()


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def registry(double: Double, clock: Time) -> HttpRegistry:
    return HttpRegistry(double.url, clock=clock, sleep=clock.sleep)


EVENT = {
    "event_id": "6f1c2a34-0000-4000-8000-000000000001",
    "occurred_at": 1,
    "schedule": "nightly",
    "slot_at": 2,
}


def test_ids_are_the_registrys_and_are_asked_for_once(double: Double, registry: HttpRegistry) -> None:
    codec = Codec(registry)
    values = [codec.encode("maintenance-triggered", EVENT) for _ in range(3)]
    assert FRAME.unpack_from(values[0]) == (0, 1)
    fresh = Codec(HttpRegistry(double.url))
    assert [fresh.decode("maintenance-triggered", value) for value in values] == [EVENT] * 3
    assert double.asked == ["POST /subjects/maintenance-triggered-value/versions", "GET /schemas/ids/1"]


def test_a_subject_is_named_after_the_topic_as_the_cluster_has_it(double: Double) -> None:
    codec = codec_of(load(schema_registry_url=double.url, topic_prefix="staging-"))
    assert codec.decode("maintenance-triggered", codec.encode("maintenance-triggered", EVENT)) == EVENT
    assert double.asked == ["POST /subjects/staging-maintenance-triggered-value/versions"]


def test_an_id_that_the_registry_does_not_know_is_refused_and_asked_for_again_later(
    double: Double,
    registry: HttpRegistry,
    clock: Time,
) -> None:
    value = FRAME.pack(0, 7) + b"x"
    for _ in range(2):
        with pytest.raises(InvalidRecord) as caught:
            Codec(registry).decode("maintenance-triggered", value)
        assert caught.value.kind == "unknown_schema"
    assert len(double.asked) == 1
    clock.sleep(11)
    double.schemas[7] = {"schema": json.dumps(latest_schema("maintenance-triggered").load())}
    assert registry.schema(7) is not None


def test_the_projects_own_ids_stay_readable_where_there_is_a_registry(registry: HttpRegistry) -> None:
    assert Codec(registry).decode("maintenance-triggered", Codec().encode("maintenance-triggered", EVENT)) == EVENT


def test_a_registry_that_does_not_answer_is_waited_for(double: Double, registry: HttpRegistry, clock: Time) -> None:
    double.failures = [503, 500, 429]
    assert registry.register("s", {"type": "string"}) == 1
    assert 0.5 < clock.now - 1000 < 2


def test_any_failure_of_the_servers_own_is_no_word_about_the_schema(double: Double) -> None:
    double.failures = [501, 520]
    for _ in range(2):
        with pytest.raises(Retryable):
            codec_of(load(schema_registry_url=double.url), patience_s=0).decode(
                "maintenance-triggered", FRAME.pack(0, 7) + b"x"
            )


def test_patience_ends_and_the_batch_is_tried_again(double: Double, registry: HttpRegistry, clock: Time) -> None:
    double.stop()
    with pytest.raises(Retryable, match=r"127\.0\.0\.1"):
        registry.schema(1)
    assert clock.now - 1000 <= 20


def test_credentials_are_sent_and_never_said(double: Double) -> None:
    registry = HttpRegistry(double.url.replace("//", "//me:s%40cret@"))
    double.failures = [401]
    with pytest.raises(Fatal) as caught:
        registry.schema(1)
    assert double.authorization == {"Basic bWU6c0BjcmV0"}
    assert "cret" not in str(caught.value)


def test_a_schema_of_another_kind_is_unknown(double: Double, registry: HttpRegistry) -> None:
    double.schemas[1] = {"schema": "{}", "schemaType": "JSON"}
    double.schemas[2] = {"schema": "not json"}
    assert registry.schema(1) is None
    assert registry.schema(2) is None
    assert registry.schema(2**31) is None


def test_who_is_no_registry_says_nothing_about_schemas(double: Double, registry: HttpRegistry) -> None:
    double.is_one = False
    for ask in (lambda: registry.schema(7), lambda: registry.register("s", {"type": "string"}), registry.subjects):
        with pytest.raises(
            Retryable, match=r"at 127\.0\.0\.1:\d+ is no schema registry .*SMARTBLOOD_SCHEMA_REGISTRY_URL"
        ):
            ask()
    double.is_one = True
    assert registry.schema(7) is None
    assert registry.register("s", {"type": "string"}) == 1


def test_a_registry_without_error_codes_is_known_by_its_subjects(double: Double, registry: HttpRegistry) -> None:
    double.has_error_codes = False
    assert registry.schema(7) is None
    assert registry.schema(8) is None
    assert double.asked == ["GET /schemas/ids/7", "GET /subjects", "GET /schemas/ids/8"]


def test_an_answer_that_holds_no_schema_is_no_word_about_it(double: Double) -> None:
    double.schemas[1] = {"status": "ok"}
    with pytest.raises(Retryable, match="is no schema registry"):
        HttpRegistry(double.url, patience_s=0).schema(1)


@pytest.mark.parametrize(
    "url", ["registry:8081", "http://", "http://h:99999", "http://h:abc", "http://[::1", "garbage"]
)
def test_a_url_that_is_none_stops_at_once(url: str) -> None:
    with pytest.raises(Fatal, match="SMARTBLOOD_SCHEMA_REGISTRY_URL"):
        HttpRegistry(url)


def test_an_address_of_ip_version_6_is_a_host() -> None:
    with pytest.raises(Retryable, match=r"at \[::1\]:9 doesn't answer: URLError"):
        HttpRegistry("http://[::1]:9", patience_s=0).schema(1)
