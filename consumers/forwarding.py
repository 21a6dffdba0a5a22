"""Where a record belongs, what sends it there, and what becomes of one that is refused.

Pure: the loop and the test driver both write what these functions return.

References
----------
Partitions: ``org.apache.kafka.common.utils.Utils.murmur2`` and ``BuiltInPartitioner.partitionForKey`` of Apache Kafka,
``rd_kafka_msg_partitioner_murmur2_random`` of librdkafka. Headers: contracts section 1.
"""

from __future__ import annotations

import struct

from schemas.catalogue import topics
from schemas.records import Output, Record

DEAD_LETTERS = "dead-letters"
FORWARDED_FROM = "forwarded-from"
FORWARDED_TO = "forwarded-to"

_SEED = 0x9747B28C
_M = 0x5BD1E995
_U32 = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Hash ``data`` as Kafka's clients for Java do, 32 bits, unsigned (Java's negative numbers plus 2**32)."""
    n_bytes = len(data)
    h = _SEED ^ n_bytes
    n_whole = n_bytes & ~3
    for (word,) in struct.iter_unpack("<I", data[:n_whole]):
        k = (word * _M) & _U32
        k = ((k ^ (k >> 24)) * _M) & _U32
        h = ((h * _M) & _U32) ^ k
    if n_bytes != n_whole:
        h = ((h ^ int.from_bytes(data[n_whole:], "little")) * _M) & _U32
    h = ((h ^ (h >> 13)) * _M) & _U32
    return h ^ (h >> 15)


def home_partition(key: bytes | None, n_partitions: int) -> int:
    """Return the partition to which a key belongs (``murmur2_random``).

    A record without a key belongs nowhere; 0 is returned for it, as good as any.
    """
    if key is None:
        return 0
    return (murmur2(key) & 0x7FFFFFFF) % n_partitions


def forwarded(record: Record, home: int, *, compacted: bool) -> list[Output]:
    """Return what sends a valid record that lies in the wrong partition on to ``home``.

    Same topic, key, value, timestamp and headers, and one header more. On a compacted topic a null is left under the
    key where the record lay, so that the cleaner can forget the stray; a null that strayed needs none.
    """
    origin = f"{record.partition}/{record.offset}".encode()
    headers = (*record.headers, (FORWARDED_FROM, origin))
    outputs = [Output(record.topic, record.key, record.value, headers, home, record.timestamp_ms)]
    if compacted and record.value is not None:
        left = ((FORWARDED_TO, str(home).encode()),)
        outputs.append(Output(record.topic, record.key, None, left, record.partition, record.timestamp_ms))
    return outputs


def is_left_behind(record: Record) -> bool:
    """Whether this is the null that a forwarded record left where it lay: it erases nobody and is skipped.

    Only compacted topics have such nulls: elsewhere the header is anybody's, and a null is refused like any other.
    """
    return (
        record.value is None
        and any(name == FORWARDED_TO for name, _ in record.headers)
        and "compact" in topics()[record.topic].cleanup
    )


def dead_letter(record: Record, processor: str, error: str, *, source_topic: str | None = None) -> Output:
    """Return the dead letter of a refused record: its original key and value, and where it came from.

    Parameters
    ----------
    record : Record
        As it was read.
    processor : str
        Who refused it.
    error : str
        What is wrong, and where; put on one line.
    source_topic : str, optional
        The topic's name as the cluster has it, with the prefix where one is set, so that an operator's tools find
        the record at ``source-topic``, ``source-partition``, ``source-offset`` without knowing of the prefix. The
        contract's name unless given.
    """
    headers = (
        ("source-topic", source_topic or record.topic),
        ("source-partition", str(record.partition)),
        ("source-offset", str(record.offset)),
        ("source-timestamp", str(record.timestamp_ms)),
        ("processor", processor),
        ("error", " ".join(error.split())),
    )
    encoded = tuple((name, text.encode("utf-8", "backslashreplace")) for name, text in headers)
    return Output(DEAD_LETTERS, record.key, record.value, encoded)
