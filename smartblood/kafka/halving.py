"""Finding the record that can't be answered, and knowing when to stop: pure.

A record that makes a processor fail must not stop the others; a bad release must not drain a topic into the dead
letters. So the culprit is found by halving and refused, and above a limit of such failures the process stops.

A record whose answer is larger than a topic takes is found in the same way. It is the record that is at fault then,
and however many of them there are, they stop nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from consumers.topology import Batch, Confessing, Input, Processor
from schemas.records import Output
from smartblood.errors import Fatal
from smartblood.kafka.batches import PASSED_ON, Item, own_failure
from smartblood.kafka.sizes import TooLarge

Followed = Mapping[str, Mapping[int, int]]
Checked = Callable[[list[Output]], list[Output]]


class Culprit(NamedTuple):
    """A record that could not be answered: its place among the inputs, and why."""

    place: int
    item: Input
    error: Exception


class Answer(NamedTuple):
    """What a processor wrote in answer to the first ``n_taken`` inputs, and those of them that it could not answer."""

    outputs: list[Output]
    culprits: list[Culprit]
    n_taken: int


def answered(
    processor: Processor, items: Sequence[Item], followed: Followed, *, n_culprits_max: int, checked: Checked
) -> tuple[list[Output], list[Item]]:
    """Let a processor answer the inputs among ``items``; see ``answer``.

    Returns
    -------
    list of Output
        What it wrote, and what it has to say of records that it failed on.
    list of Item
        The items that were taken, from the first on; those that it could not answer as refused.
    """
    places = [place for place, item in enumerate(items) if item.is_input]
    inputs = [Input(items[place].record, items[place].event) for place in places]
    found = answer(processor, inputs, followed, n_culprits_max=n_culprits_max, checked=checked)
    taken = list(items[: places[found.n_taken]] if found.n_taken < len(places) else items)
    outputs = list(found.outputs)
    for place, item, error in found.culprits:
        refused = error if isinstance(error, TooLarge) else own_failure(error)
        taken[places[place]] = Item(item.record, error=refused, ours=refused is not error)
        if refused is not error and isinstance(processor, Confessing):
            outputs.extend(processor.failed(item, error))
    return outputs, taken


def answer(
    processor: Processor,
    inputs: Sequence[Input],
    followed: Followed,
    *,
    n_culprits_max: int,
    checked: Checked = lambda outputs: outputs,
) -> Answer:
    """Let a processor answer a batch without the records that make it fail, or whose answers are too large.

    The shortest beginning of the batch that fails ends in a culprit. Beginnings, not halves by themselves, since what
    a record does may depend on those before it. Changes that a failed try staged are dropped before the next.

    Parameters
    ----------
    processor : Processor
        Changes of the answer are staged in it when this returns.
    inputs : sequence of Input
        In order.
    followed : mapping
        Next offsets of followed topics.
    n_culprits_max : int
        How many records may make it fail. Once so many are found whose answers are too large, only what lies before
        the last of them is answered, so that a batch full of them doesn't take for ever.
    checked : callable
        Returns what the processor wrote, or raises ``TooLarge``.

    Raises
    ------
    Fatal
        If more records fail.
    """

    def tried(places: Sequence[int]) -> tuple[list[Output], Exception | None]:
        return _tried(processor, [inputs[place] for place in places], followed, checked)

    left, n_taken = list(range(len(inputs))), len(inputs)
    culprits: list[Culprit] = []
    while True:
        outputs, error = tried(left)
        if error is None:
            return Answer(outputs, [culprit for culprit in culprits if culprit.place < n_taken], n_taken)
        number, reason = _first_failing(tried, left, error)
        culprits.append(Culprit(left[number], inputs[left.pop(number)], reason))
        n_too_large = sum(isinstance(culprit.error, TooLarge) for culprit in culprits)
        if len(culprits) - n_too_large > n_culprits_max:
            message = (
                f"{processor.topology.name} fails on more than {n_culprits_max} records of one batch: "
                f"{type(reason).__name__}; see the dead letters, and go back to the release before this one"
            )
            raise Fatal(message) from reason
        if n_too_large >= n_culprits_max and number < len(left):
            n_taken, left = left[number], left[:number]


def _first_failing(
    tried: Callable[[Sequence[int]], tuple[list[Output], Exception | None]],
    left: Sequence[int],
    error: Exception,
) -> tuple[int, Exception]:
    """Return the place of the last record of the shortest beginning that fails, and how it fails."""
    passes, fails = 0, len(left)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        _, found = tried(left[:middle])
        if found is None:
            passes = middle
        else:
            fails, error = middle, found
    return fails - 1, error


def _tried(
    processor: Processor,
    inputs: Sequence[Input],
    followed: Followed,
    checked: Checked,
) -> tuple[list[Output], Exception | None]:
    processor.drop()
    if not inputs:
        return [], None
    try:
        return checked(processor.process(Batch(inputs, followed))), None
    except PASSED_ON:
        raise
    except Exception as error:  # noqa: BLE001 - the one place that finds failures of ours; they are limited
        return [], error


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """Says when failures of our own code are too many to go on; a value, so that an aborted batch counts for nothing.

    Parameters
    ----------
    run_max : int
        This many failures in a row stop the process.
    share_max : float
        So does a larger share (0 to 1) of the last ``n_looked_at`` records, once ``run_max`` of them failed.
    n_looked_at : int
        Records over which the share is taken.
    """

    run_max: int = 10
    share_max: float = 0.05
    n_looked_at: int = 1000
    _run: int = 0
    _n_seen: int = 0
    _failed_at: tuple[int, ...] = ()

    def after(self, failed: Sequence[bool]) -> FailureLimit:
        """Return the limit after a batch's records, in order.

        Raises
        ------
        Fatal
            If there is one failure too many among them.
        """
        if not any(failed):
            return replace(self, _run=0, _n_seen=self._n_seen + len(failed)) if failed else self
        run, n_seen, failed_at = self._run, self._n_seen, list(self._failed_at)
        for each in failed:
            n_seen += 1
            run = run + 1 if each else 0
            if each:
                failed_at = [place for place in failed_at if place > n_seen - self.n_looked_at] + [n_seen]
                self._check(run, len(failed_at), min(n_seen, self.n_looked_at))
        return replace(self, _run=run, _n_seen=n_seen, _failed_at=tuple(failed_at))

    def _check(self, run: int, n_failed: int, n_looked_at: int) -> None:
        if run >= self.run_max or (n_failed >= self.run_max and n_failed > self.share_max * n_looked_at):
            message = (
                f"our own code failed on {run} records in a row and {n_failed} of the last {n_looked_at}: "
                "see the dead letters, and go back to the release before this one"
            )
            raise Fatal(message)
