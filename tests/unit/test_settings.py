"""Settings come from the environment and ``.env``, and are never shown."""

from __future__ import annotations

import pytest

from smartblood.errors import Fatal
from smartblood.settings import host_and_port, load


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_without_anything_set_there_are_no_addresses():
    settings = load()
    assert settings.kafka_bootstrap_servers is None
    assert settings.database_url is None
    assert settings.donor_partitions == settings.request_partitions == 12


def test_any_librdkafka_property_can_be_set(monkeypatch):
    monkeypatch.setenv("SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS", "k1:9092,k2:9092")
    monkeypatch.setenv("SMARTBLOOD_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("SMARTBLOOD_KAFKA_SASL_PASSWORD", "s3cret")
    monkeypatch.setenv("SMARTBLOOD_KAFKA_LOG_LEVEL", "3")
    settings = load()
    assert settings.kafka_bootstrap_servers == "k1:9092,k2:9092"
    assert settings.kafka == {"security.protocol": "SASL_SSL", "sasl.password": "s3cret", "log_level": "3"}


def test_the_environment_wins_over_the_file_and_a_flag_over_both(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(
        "SMARTBLOOD_TOPIC_PREFIX=file-\nSMARTBLOOD_SLOT=file\nSMARTBLOOD_LOG_FORMAT=json\n"
        "SMARTBLOOD_KAFKA_CLIENT_ID=from-file\nOTHER=1\n"
    )
    monkeypatch.setenv("SMARTBLOOD_SLOT", "environment")
    settings = load(topic_prefix="flag-", log_format=None)
    assert (settings.topic_prefix, settings.slot, settings.log_format) == ("flag-", "environment", "json")
    assert settings.kafka == {"client.id": "from-file"}
    assert settings.topic("matches") == "flag-matches"


def test_credentials_are_never_shown(monkeypatch):
    monkeypatch.setenv("SMARTBLOOD_DATABASE_URL", "postgresql://u:s3cret@h/db")
    monkeypatch.setenv("SMARTBLOOD_SCHEMA_REGISTRY_URL", "http://u:s3cret@h")
    monkeypatch.setenv("SMARTBLOOD_KAFKA_SASL_PASSWORD", "s3cret")
    settings = load()
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SMARTBLOOD_DONOR_PARTITIONS", "0"),
        ("SMARTBLOOD_DONOR_PARTITIONS", "s3cret"),
        ("SMARTBLOOD_METRICS_ADDRESS", "s3cret"),
        ("SMARTBLOOD_HTTP_ADDRESS", "localhost:99999"),
        ("SMARTBLOOD_LOG_FORMAT", "xml"),
        ("SMARTBLOOD_SLOT", "a b"),
        ("SMARTBLOOD_TOPIC_PREFIX", "a/b"),
        ("SMARTBLOOD_EXPLORING_SHARE", "1.5"),
        ("SMARTBLOOD_EXPLORING_SHARE", "nan"),
        ("SMARTBLOOD_REACH_RINGS_KM", "10,5"),
        ("SMARTBLOOD_REACH_RINGS_KM", "5,5"),
        ("SMARTBLOOD_REACH_RINGS_KM", "0,5"),
        ("SMARTBLOOD_REACH_RINGS_KM", "5,inf"),
        ("SMARTBLOOD_REACH_RINGS_KM", "nan"),
        ("SMARTBLOOD_REACH_RINGS_KM", "5,s3cret"),
        ("SMARTBLOOD_REACH_RINGS_KM", "5,,10"),
        ("SMARTBLOOD_REACH_RINGS_KM", "5,30000"),
        ("SMARTBLOOD_REACH_RING_KM_CRITICAL", "4.9"),
        ("SMARTBLOOD_REACH_RING_KM_CRITICAL", "inf"),
        ("SMARTBLOOD_REACH_WIDE_RINGS_KM", "50,100"),
        ("SMARTBLOOD_REACH_WIDE_RINGS_KM", "250,100"),
        ("SMARTBLOOD_REACH_ASKABLE_FACTOR", "0"),
        ("SMARTBLOOD_REACH_TOP_K_OPEN_ENOUGH", "-1"),
        ("SMARTBLOOD_LATE_DAYS", "0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_that_names_the_variable(variable, value, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(Fatal, match=variable) as refused:
        load()
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_rings_are_held_against_each_other_whichever_is_set(monkeypatch):
    monkeypatch.setenv("SMARTBLOOD_REACH_RINGS_KM", "40,120")
    with pytest.raises(Fatal, match=r"SMARTBLOOD_REACH_RING_KM_CRITICAL: .* first ring"):
        load()
    with pytest.raises(Fatal, match=r"SMARTBLOOD_REACH_WIDE_RINGS_KM: .* last ring"):
        load(reach_ring_km_critical=40)
    settings = load(reach_ring_km_critical=40, reach_wide_rings_km="130, 140.5")
    assert (settings.reach_rings_km, settings.reach_wide_rings_km) == ((40.0, 120.0), (130.0, 140.5))


def test_workers_have_stable_names_of_their_own(monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "röntgen 7")
    assert load().slot_of(2, 3) == "r-ntgen-7-2"
    assert load(slot="a").slot_of(1, 1) == "a"
    assert load(slot="a").slot_of(2, 3) == "a-2"


def test_a_child_sees_the_same_settings(monkeypatch):
    given = load(
        kafka_bootstrap_servers="k:1",
        database_url="postgresql://h/db",
        slot="a",
        request_partitions=3,
        reach_rings_km="1.5,60",
    ).changed(kafka={"sasl.password": "s3cret", "log_level": "3"})
    for variable, value in given.environment().items():
        monkeypatch.setenv(variable, value)
    assert load() == given


def test_an_address_is_a_host_and_a_port():
    assert host_and_port("0.0.0.0:9464") == ("0.0.0.0", 9464)
    assert host_and_port(":80") == ("127.0.0.1", 80)
    assert host_and_port("[::1]:80") == ("::1", 80)


def test_nothing_is_forgotten_that_its_topic_still_has(monkeypatch):
    monkeypatch.setenv("SMARTBLOOD_KEEP_MATCHES_DAYS", "90")  # as long as `matches` is kept: it would come again
    with pytest.raises(Fatal, match="SMARTBLOOD_KEEP_MATCHES_DAYS"):
        load()
    monkeypatch.setenv("SMARTBLOOD_KEEP_MATCHES_DAYS", "120")
    assert load().keep_matches_days == 120
