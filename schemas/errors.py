"""What is wrong with a record, in words for whoever sent it."""

from __future__ import annotations


class InvalidRecord(ValueError):  # noqa: N818 - the house's word for it, see docs/glossary.md
    """The record breaks the contract: {reason}.

    Raised for undecodable bytes, an unknown schema or a value outside the contract. The loop turns it into
    a dead letter in the same transaction and goes on.

    Parameters
    ----------
    reason : str
        One line for the dead letter's ``error`` header: what is wrong, and where.
    kind : str
        A short, closed word for metrics: ``undecodable``, ``unknown_schema``, ``key``, ``range``, ``instant``,
        ``place``, ``unknown_symbol``, ``model``, ``event_id``, ``size``, ``code``.
    """

    def __init__(self, reason: str, *, kind: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
