"""Ends of partitions are asked for again while the news of who leads them is on its way."""

from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException

from smartblood.errors import Retryable
from smartblood.kafka import offsets
from smartblood.kafka.client import Cluster


class Broker:
    """An admin client whose broker answers with errors first. A real one does so for a moment that can't be made."""

    def __init__(self, *codes):
        self.codes, self.n_asked = list(codes), 0

    def list_offsets(self, asked, **_):
        self.n_asked += 1
        code = self.codes.pop(0) if self.codes else None
        found = {}
        for place in asked:
            future = found[place] = Future()
            if code is None:
                future.set_result(type("Ends", (), {"offset": 7}))
            else:
                future.set_exception(KafkaException(KafkaError(code)))
        return found


def asking(monkeypatch, *codes):
    broker = Broker(*codes)
    monkeypatch.setattr(offsets, "admin", lambda _: broker)
    return broker, offsets.Offsets(Cluster("127.0.0.1:9", "", {}))


def test_a_broker_that_has_not_heard_yet_that_it_leads_is_asked_again(monkeypatch):
    broker, ends = asking(monkeypatch, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    assert ends.last_stable([("matches", 0)]) == {("matches", 0): 7}
    assert broker.n_asked == 3


def test_that_does_not_go_on_for_ever_and_other_errors_are_said_at_once(monkeypatch):
    monkeypatch.setattr(offsets, "NEWS_S", 0.3)
    _, ends = asking(monkeypatch, *[KafkaError.NOT_LEADER_FOR_PARTITION] * 99)
    with pytest.raises(Retryable, match="the ends of partitions"):
        ends.last_stable([("matches", 0)])
    broker, ends = asking(monkeypatch, KafkaError._ALL_BROKERS_DOWN)
    with pytest.raises(Retryable):
        ends.last_stable([("matches", 0)])
    assert broker.n_asked == 1
