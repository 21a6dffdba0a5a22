"""What topics recorded of donors and requests, as one stream of events: read from Kafka, or from files that keep it.

The order is that in which the records were written, by their Kafka timestamps: of what a donor did late, the stream
knew late. Where timestamps are equal, a request comes before who is asked for it, and a profile before what its donor
does.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from consumers import validation
from consumers.forwarding import is_left_behind
from consumers.topology import Input
from schemas.codec import Codec
from schemas.containers import read_container, write_container
from schemas.errors import InvalidRecord
from schemas.records import Event, Record
from smartblood.errors import Fatal

TOPICS = (
    "blood-request-created",
    "blood-request-closed",
    "donor-registered",
    "donation-recorded",
    "donor-responded",
)
"""Those that are learned from, in the order in which they are taken in where timestamps are equal."""

_RANK = {topic: rank for rank, topic in enumerate(TOPICS)}

Spans = Mapping[tuple[str, int], tuple[int, int]]
"""For each topic and partition the first offset, and the one after the last."""


class Reading:
    """Turns records into events as the stream does, and says what was read.

    Parameters
    ----------
    codec : Codec
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._n: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._digests = {topic: hashlib.sha256() for topic in TOPICS}

    def items(self, records: Iterable[Record]) -> Iterator[Input]:
        """Yield records with their events; what the stream would refuse is counted, and left out."""
        for record in records:
            self._n[record.topic] += 1
            self._digests[record.topic].update(repr(record[:6]).encode())
            if is_left_behind(record):
                continue
            try:
                yield Input(record, self._event(record))
            except InvalidRecord:
                self._refused[record.topic] += 1

    def told(self, spans: Spans) -> dict[str, Any]:
        """Return what was read: offsets by partition, numbers of records, and a digest of each topic's records."""
        found: dict[str, Any] = {}
        for topic in TOPICS:
            told = {
                "offsets": offsets_of(topic, spans),
                "n": self._n[topic],
                "sha256": self._digests[topic].hexdigest(),
            }
            found[topic] = told | ({"n_refused": self._refused[topic]} if self._refused[topic] else {})
        return found

    def _event(self, record: Record) -> Event | None:
        if record.value is None and record.topic == "donor-registered":
            validation.donor_of_key(record)
            return None
        return validation.checked(record, self._codec.decode(record.topic, validation.not_null(record)))


def offsets_of(topic: str, spans: Spans) -> dict[str, list[int]]:
    """Return the offsets of a topic by partition, as JSON has them."""
    return {str(number): list(span) for (name, number), span in sorted(spans.items()) if name == topic}


def in_order(records: Iterable[Record]) -> list[Record]:
    """Return records in the order in which the stream saw them."""
    return sorted(records, key=order_of)


def order_of(record: Record) -> tuple[int, int, int, int]:
    """Return what puts records in order."""
    return record.timestamp_ms, _RANK[record.topic], record.partition, record.offset


def bare(topic: str, event: Event | None) -> Event | None:
    """Return an event without its deferrals: no model sees them, and they are health data."""
    if event is not None and topic == "donor-registered":
        return {**event, "deferrals": []}
    if event is not None and topic == "donation-recorded":
        return {**event, "deferral": None}
    return event


class Kept(NamedTuple):
    """What folders of files hold.

    Parameters
    ----------
    items : iterable of Input
        In order.
    files : dict
        Of each file its digest, and which offsets it was read from.
    ends_at : int or None
        Until when it was listened, microseconds; None where nobody said.
    """

    items: Iterable[Input]
    files: dict[str, dict[str, Any]]
    ends_at: int | None


def keep(folder: Path, records: Sequence[Record], codec: Codec, spans: Spans, ends_at: int | None) -> list[Path]:
    """Write what was recorded into a folder, a file a topic; the same gives the same bytes.

    What the stream would refuse isn't kept, nor are deferrals, nor what an erasure among the records forgot.

    Parameters
    ----------
    records : sequence of Record
        In order.
    spans : Spans
        Where they were read.
    ends_at : int or None
        Until when it was listened, microseconds.

    Raises
    ------
    Fatal
        If it can't be written, or there are files already.
    """
    erased, reading = _erased_at(records), Reading(codec)
    paths = [folder / f"{topic}.avro" for topic in TOPICS]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for topic, path in zip(TOPICS, paths, strict=True):
            lines = (
                (record, bare(topic, event))
                for record, event in reading.items(record for record in records if record.topic == topic)
                if not _is_gone(event, erased)
            )
            with path.open("xb") as file:
                write_container(file, topic, lines, {"offsets": offsets_of(topic, spans), "ends_at": ends_at})
    except FileExistsError:
        message = f"{path} is there already: give another folder"
        raise Fatal(message) from None
    except OSError as error:
        message = f"{folder} can't be written: {error.strerror}; give another folder"
        raise Fatal(message) from error
    return paths


def read_kept(folders: Sequence[Path]) -> Kept:
    """Read what ``keep`` wrote, of several folders as one.

    Raises
    ------
    Fatal
        If a file isn't there, or is none of these.
    """
    streams, files, ends = [], {}, []
    for folder in folders:
        for topic in TOPICS:
            path = folder / f"{topic}.avro"
            try:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    file.seek(0)
                    of, told, _ = read_container(file)
            except OSError as error:
                message = f"{path} can't be read: {error.strerror}; `smartblood topics keep` writes such folders"
                raise Fatal(message) from error
            except ValueError as error:
                message = f"{path} is {error}"
                raise Fatal(message) from error
            if of != topic:
                message = f"{path} holds records of {of}"
                raise Fatal(message)
            ends.append(told["ends_at"])
            files[f"{folder.name}/{path.name}"] = {"sha256": digest, "offsets": told["offsets"]}
            streams.append(_items_of(path))
    return Kept(
        merge(*streams, key=lambda item: order_of(item.record)),
        files,
        None if None in ends else max(ends, default=None),
    )


def _items_of(path: Path) -> Iterator[Input]:
    with path.open("rb") as file:
        before = None
        try:
            for record, event in read_container(file)[2]:
                place = order_of(record)
                if before is not None and place < before:
                    message = "not in order"
                    raise ValueError(message)  # noqa: TRY301 - said like what else is wrong with it
                before = place
                yield Input(record, event)
        except ValueError as error:
            message = f"{path} is {error}"
            raise Fatal(message) from error


def _erased_at(records: Iterable[Record]) -> dict[int, int]:
    """Return of each donor who was erased when that was last, microseconds."""
    erased: dict[int, int] = {}
    for record in records:
        if record.topic == "donor-registered" and record.value is None and not is_left_behind(record):
            with suppress(InvalidRecord):
                donor_id = validation.donor_of_key(record)
                erased[donor_id] = max(erased.get(donor_id, 0), record.timestamp_ms * 1000)
    return erased


def _is_gone(event: Event | None, erased: Mapping[int, int]) -> bool:
    """Tell whether an erasure forgot this."""
    return event is not None and "donor_id" in event and event["occurred_at"] <= erased.get(event["donor_id"], -1)
