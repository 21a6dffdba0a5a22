"""What librdkafka's errors mean to a transaction.

====================================================  ==========  ============================================
the broker says                                       seen as     the loop
====================================================  ==========  ============================================
TxnOffsetCommit: illegal generation, unknown member   ABORT       aborts, rewinds
EndTxn: fenced, invalid epoch; Produce: out of order  RENEW       makes a new producer, rewinds
coordinator not available, loading; a call timed out  AGAIN       makes the same call again, then a new producer
authorisation failed                                  STOP        stops: a setting is wrong
====================================================  ==========  ============================================
"""

from __future__ import annotations

from enum import Enum

from confluent_kafka import KafkaError

from smartblood.errors import Retryable


class Fault(Enum):
    """What to do about an error of a transaction's call."""

    AGAIN = "again"
    ABORT = "abort"
    RENEW = "renew"
    STOP = "stop"


FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001 - its names
FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - its name
    },
)
DISCONNECTED = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError.NETWORK_EXCEPTION},  # noqa: SLF001
)


class TransactionFailed(Retryable):
    """A transaction ended without a commit, or nobody knows how it ended: {step}: {what the broker said}.

    Parameters
    ----------
    step : str
        The call that failed.
    fault : Fault
        What is to be done about the producer.
    in_doubt : bool
        Whether the transaction may have been committed all the same.
    reason : str
        What the broker or librdkafka said.
    """

    def __init__(self, step: str, fault: Fault, reason: str, *, in_doubt: bool = False) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.fault = fault
        self.in_doubt = in_doubt


def fault_of(error: KafkaError) -> Fault:
    """Return what an error of a transaction's call asks for."""
    if error.code() in FORBIDDEN:
        return Fault.STOP
    if error.fatal() or error.code() in FENCED:
        return Fault.RENEW
    if error.txn_requires_abort():
        return Fault.ABORT
    return Fault.AGAIN if error.retriable() else Fault.RENEW
