"""Matching: requests in, ranked and lawful matches out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from consumers.matching.answers import MATCHES, PREVIEWS, Answers, topic_of
from consumers.matching.asking import CLOSED, CREATED, REQUESTED, Asked, request_id_of, take_in
from consumers.matching.following import DonorFollower
from consumers.matching.matcher import Matcher
from consumers.matching.memory import TOPIC as STORE
from consumers.matching.memory import RequestMemory, Statement, memory_of
from consumers.matching.models import Load, Models, no_models
from consumers.matching.runs import Scoring, ScoringFailedError
from consumers.matching.warming import warm_up
from consumers.releases import TOPIC as RELEASES
from consumers.stores import read_back
from consumers.topology import Batch, Input, Topology
from consumers.validation import checked, not_null
from features.decay import HalfLives
from features.districts import DISTRICT_NAMES
from features.index import DonorIndex
from features.index.facts import TOPIC as DONOR_STATES
from features.ranking import ExploringRules
from features.reach import ReachRules
from features.rule_set import INDIA_2020, RuleSet
from features.scoring import Panel
from schemas.codec import Codec
from schemas.identifiers import derived_event_id
from schemas.records import Event, Output, Record

PREDICTIONS = "prediction-logged"
SOURCE = "matching"

TOPOLOGY = Topology(
    name="matching",
    sources=(CLOSED, CREATED, REQUESTED),
    sinks=(STORE, MATCHES, PREVIEWS, PREDICTIONS),
    store=STORE,
    followed=(RELEASES, DONOR_STATES),
    forwards=True,
)


def _no_clock() -> float:
    return 0.0


class Matching:
    """The processor ``matching``.

    Parameters
    ----------
    codec : Codec
    panel : Panel
        Champions while no release says otherwise.
    rules : RuleSet, optional
        Donor rules under which eligibility is worked out.
    reach : ReachRules, optional
    exploring : ExploringRules, optional
    half_lives : HalfLives, optional
        Those with which ``donor-state`` makes the sums that fade.
    load : callable, optional
        Returns the scorer of a release; without it releases are refused.
    timer : callable, optional
        Returns seconds of a monotonic clock, for ``inference_time_ms``; without one that is 0.

    Attributes
    ----------
    index : DonorIndex
        All donors that were followed.
    models : Models
        Which version answers, and which only watch.
    alarms : list of str
        What a person should see: a line each, for the shell to take away.
    in_no_district : list of (int, str)
        Requests of committed batches whose district isn't known, and what they call it, for the shell to take away.
    """

    def __init__(  # noqa: PLR0913 - what is optional has defaults
        self,
        codec: Codec,
        panel: Panel,
        rules: RuleSet = INDIA_2020,
        *,
        reach: ReachRules | None = None,
        exploring: ExploringRules | None = None,
        half_lives: HalfLives | None = None,
        load: Load = no_models,
        timer: Callable[[], float] = _no_clock,
    ) -> None:
        self.index = DonorIndex()
        self.alarms: list[str] = []
        self.in_no_district: list[tuple[int, str]] = []
        self._codec = codec
        self.models = Models(codec, panel, load)
        self._rules = reach or ReachRules()
        self._follower = DonorFollower(codec, rules, self.index)
        self._matcher = Matcher(
            self.index,
            reach=self._rules,
            exploring=exploring or ExploringRules(),
            half_lives=half_lives or HalfLives(),
            timer=timer,
        )
        self._answers = Answers(codec, self.index, rules)
        self._kept: dict[int, dict[int, RequestMemory]] = {}
        self._staged: dict[tuple[int, int], RequestMemory] = {}
        self._staged_in_no_district: list[tuple[int, str]] = []

    @property
    def topology(self) -> Topology:
        """The edges."""
        return TOPOLOGY

    def read(self, record: Record) -> Event:
        """Decode and check one record of a source.

        Raises
        ------
        InvalidRecord
            If the record breaks the contract.
        """
        return checked(record, self._codec.decode(record.topic, not_null(record)))

    def work(self, item: Input) -> int:
        """Estimate the rows that will be scored for one record."""
        if item.record.topic == CLOSED or item.event is None:
            return 1
        request = item.event["request"] if item.record.topic == REQUESTED else item.event
        return self._rules.n_scored(request["top_k"])

    def process(self, batch: Batch) -> list[Output]:
        """Answer a batch."""
        self.index.settle()
        asked, touched = self._take_in(batch.inputs)
        outputs, scorings = self._answered(asked, self._answers.seen(batch.followed.get(DONOR_STATES, {})))
        for memory, answered in touched.values():
            outputs.append(self._output(STORE, memory.as_event(answered), str(memory.request_id)))
        if scorings:  # ids of their logs are derived from the first request that was looked for
            first = next(one for one in asked if one.empty_because is None)
            outputs.extend(self._logged(first.answered, scoring) for scoring in scorings)
        return outputs

    def failed(self, item: Input, error: Exception) -> list[Output]:
        """Return the log of the scoring run that failed, where one did."""
        if item.event is None or not isinstance(error, ScoringFailedError):
            return []
        answered = Statement(item.event["occurred_at"], item.event["event_id"])
        return [self._logged(answered, error.scoring)]

    def keep(self) -> None:
        """Make what is staged the memory."""
        for (partition, request_id), memory in self._staged.items():
            self._kept.setdefault(partition, {})[request_id] = memory
        self.in_no_district.extend(self._staged_in_no_district)
        self.drop()

    def drop(self) -> None:
        """Forget what is staged."""
        self._staged.clear()
        self._staged_in_no_district.clear()

    def restore(self, partition: int, records: Iterable[Record]) -> list[str]:
        """Take records of ``request-states`` into the memory of ``partition``; return lines on garbage."""
        kept = self._kept.setdefault(partition, {})

        def take(request_id: int, state: Event | None) -> None:
            if state is None:
                kept.pop(request_id, None)
            else:
                kept[request_id] = memory_of(state)

        return read_back(records, self._codec, "request_id", take)

    def revoke(self, partitions: Collection[int]) -> None:
        """Throw away the memory of ``partitions``."""
        for partition in partitions:
            self._kept.pop(partition, None)

    def follow(self, records: Sequence[Record]) -> list[str]:
        """Take in releases, and ``donor-states`` into the index; return a line for each that breaks the contract.

        What was released takes effect here: between two batches, whether anybody asks or not.
        """
        releases = [record for record in records if record.topic == RELEASES]
        if not releases:
            return self._follower.follow(records)
        states = [record for record in records if record.topic != RELEASES]
        alarms = [*self.models.follow(releases), *self._follower.follow(states)]
        self.alarms.extend(self.models.settle())
        return alarms

    def settle(self) -> None:
        """Sort the index by place and group: of a million donors that takes some 0.4 s."""
        self.index.settle()

    def warm(self) -> None:
        """Compile what is compiled at first use, so that the first request doesn't wait for it.

        Neither the index nor the memory is touched: a processor of its own is put through it, with schema ids of its
        own too, so that no registry is asked before there is a loop that waits for it.
        """
        codec = Codec()
        warm_up(Matching(codec, self.models.champions), codec)

    def _answered(self, asked: Sequence[Asked], seen: bytes) -> tuple[list[Output], list[Scoring]]:
        """Return the answers, in the order in which they were asked for, and what was scored for them."""
        looked_for = [one for one in asked if one.empty_because is None]
        answering = [self._answering(one) for one in looked_for]
        matched = self._matcher.match(looked_for, answering, self.models.shadows) if looked_for else None
        values = iter(self._answers.matched(looked_for, answering, matched, seen) if matched else ())
        outputs = []
        for one in asked:
            found = one.empty_because is None
            value = next(values) if found else self._answers.empty(one, self._answering(one), seen)
            key = str(one.request["request_id"]).encode()
            outputs.append(Output(topic_of(one), key, value, answers_ms=one.timestamp_ms))
        return outputs, matched.scorings if matched else []

    def _answering(self, asked: Asked) -> Panel:
        return self.models.answering(asked.request["request_id"])

    def _take_in(
        self, inputs: Sequence[Input]
    ) -> tuple[list[Asked], dict[tuple[int, int], tuple[RequestMemory, Statement]]]:
        """Return what is to be answered, and the memories that changed with the last event that changed each."""
        asked, touched = [], {}
        for item in inputs:
            request_id = request_id_of(item)
            place = (item.record.partition, request_id)
            before = self._staged.get(place) or self._kept.get(place[0], {}).get(request_id)
            memory, one = take_in(before or RequestMemory(request_id), item)
            if memory is before:
                continue
            self._staged[place] = memory
            event = item.event or {}
            touched[place] = (memory, Statement(event["occurred_at"], event["event_id"]))
            if one is not None:
                asked.append(one)
                if one.request["district"] not in DISTRICT_NAMES:
                    self._staged_in_no_district.append((request_id, one.request["district"]))
        return asked, touched

    def _logged(self, answered: Statement, scoring: Scoring) -> Output:
        """Return the log of a scoring run; its id is derived from ``answered``."""
        scorer = scoring.scorer
        event = {
            "event_id": derived_event_id(f"{PREDICTIONS}/{scorer.name}/{scorer.version}", answered.event_id),
            "occurred_at": answered.occurred_at,
            "model": scorer.name,
            "version": scorer.version,
            "source": SOURCE,
            "n_rows": scoring.n_rows,
            "inference_time_ms": scoring.seconds * 1000,
            "success": scoring.error is None,
            "error": scoring.error,
            "input_sample": None,
            "output_sample": None,
        }
        return self._output(PREDICTIONS, event, scorer.name)

    def _output(self, topic: str, event: Event, key: str) -> Output:
        return Output(topic, key.encode(), self._codec.encode(topic, event))
