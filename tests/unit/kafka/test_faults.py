import pytest
from confluent_kafka import KafkaError

from smartblood.errors import Fatal
from smartblood.kafka.client import Cluster
from smartblood.kafka.faults import Fault, fault_of

# kafka.md's table of what a broker answers, and what is to be done.
TABLE = [
    (KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True), Fault.ABORT),
    (KafkaError(KafkaError.UNKNOWN_MEMBER_ID, txn_requires_abort=True), Fault.ABORT),
    (KafkaError(KafkaError.STALE_MEMBER_EPOCH, txn_requires_abort=True), Fault.ABORT),
    (KafkaError(KafkaError._FENCED, fatal=True), Fault.RENEW),
    (KafkaError(KafkaError.PRODUCER_FENCED, fatal=True), Fault.RENEW),
    (KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, fatal=True), Fault.RENEW),
    (KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, fatal=True), Fault.RENEW),
    (KafkaError(KafkaError.COORDINATOR_NOT_AVAILABLE, retriable=True), Fault.AGAIN),
    (KafkaError(KafkaError._TIMED_OUT, retriable=True), Fault.AGAIN),
    (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, txn_requires_abort=True), Fault.STOP),
    (KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, fatal=True), Fault.STOP),
    (KafkaError(KafkaError._STATE), Fault.RENEW),
]


@pytest.mark.parametrize(
    ("error", "fault"), TABLE, ids=lambda each: each.name if isinstance(each, Fault) else str(each.code())
)
def test_what_the_broker_answers_says_what_to_do(error: KafkaError, fault: Fault) -> None:
    assert fault_of(error) is fault


def test_the_prefix_covers_topics_groups_and_transactional_ids() -> None:
    cluster = Cluster("b:1", "blue.")
    assert cluster.topic("matches") == "blue.matches"
    assert cluster.contract_name("blue.matches") == "matches"
    assert cluster.group("matching") == "blue.matching"
    assert cluster.transactional_id("matching", "host-1") == "blue.matching-host-1"
    assert cluster.transactional_id("matching", "host-1", 1) == "blue.matching-host-1~1"


def test_no_slot_can_have_anothers_second_id() -> None:
    with pytest.raises(Fatal, match="SMARTBLOOD_SLOT"):
        Cluster("b:1").transactional_id("matching", "host-1~1")
