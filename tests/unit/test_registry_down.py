"""A schema registry that doesn't answer is waited for by whoever runs the loop: processors pass it on, and go on."""

import pytest

from consumers.donor_state import DonorState
from consumers.matching import Matching
from consumers.topology import Input
from schemas.codec import Codec
from schemas.records import Record
from smartblood.cli.check import findings
from smartblood.errors import Retryable
from smartblood.kafka.batches import look_at
from smartblood.kafka.halving import answer
from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, HttpRegistry, codec_of
from smartblood.registry.loading import load_panel
from smartblood.settings import Settings, load
from tests.registry_double import Double
from tests.unit.donor_state.histories import DONOR, START, profile


@pytest.fixture
def double():
    made = Double()
    yield made
    made.stop()


def registered(double) -> Record:
    """A registration, framed with an id of the registry."""
    said = profile(START, 1)
    value = Codec(HttpRegistry(double.url)).encode(said.topic, said.event)
    return Record(said.topic, 0, 0, said.timestamp_ms, str(DONOR).encode(), value)


def test_a_record_is_neither_refused_nor_answered_until_the_registry_answers(double) -> None:
    record = registered(double)
    double.stop()
    processor = DonorState(codec_of(load(schema_registry_url=double.url), patience_s=LOOP_PATIENCE_S))
    for _ in range(2):
        with pytest.raises(Retryable):
            look_at(processor, record, 1)
    double.start()
    item = look_at(processor, record, 1)
    assert item.is_input
    double.stop()
    with pytest.raises(Retryable):
        answer(processor, [Input(item.record, item.event)], {}, n_culprits_max=1)
    double.start()
    found = answer(processor, [Input(item.record, item.event)], {}, n_culprits_max=1)
    assert ([output.topic for output in found.outputs], found.culprits) == (["donor-states"], [])


def test_workers_are_made_while_the_registry_is_down(double) -> None:
    double.stop()
    DonorState(codec_of(load(schema_registry_url=double.url), patience_s=LOOP_PATIENCE_S))
    panel = load_panel(Settings().models_dir)
    Matching(codec_of(load(schema_registry_url=double.url), patience_s=LOOP_PATIENCE_S), panel).warm()


def test_check_says_whether_a_registry_answers(double) -> None:
    def found(url):
        return [(one.text, one.well) for one in findings(load(schema_registry_url=url)) if one.subject == "registry"]

    assert found(double.url) == [("it answers, with 0 subjects", True)]
    double.is_one = False
    (text, well), *_ = found(double.url)
    assert not well
    assert "is no schema registry (404): look at SMARTBLOOD_SCHEMA_REGISTRY_URL" in text
    double.stop()
    assert not found(double.url)[0][1]
    assert "should be http://" in found("garbage")[0][0]
    assert found(None) == []


def test_records_wait_where_the_url_is_no_registrys(double) -> None:
    record = registered(double)
    double.is_one = False
    processor = DonorState(codec_of(load(schema_registry_url=double.url), patience_s=LOOP_PATIENCE_S))
    with pytest.raises(Retryable, match="is no schema registry"):
        look_at(processor, record, 1)
    double.is_one = True
    assert look_at(processor, record, 1).is_input
