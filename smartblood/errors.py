"""What the shell does when it can't go on: try again, or stop with one line.

::

    Exception
    ├── Retryable      the outside doesn't answer now: abort, restore, back off, go on
    └── Fatal          a restart won't help: abort, exit 3 with one line on stderr
        └── WrongUsage     what was typed or set makes no sense: exit 2

What is wrong with a record is none of these: see ``schemas.errors``. An assertion is a bug and crashes.
"""

from __future__ import annotations


class Retryable(Exception):  # noqa: N818 - the house's word, see docs/glossary.md
    """The outside doesn't answer now, and may later: {what, and what was tried}.

    Raised at the doors (Kafka, Postgres, schema registry), where foreign errors are translated once. The loop
    aborts, restores its memory, waits and goes on; a command that can't wait any longer ends as with ``Fatal``.
    """


class Fatal(Exception):  # noqa: N818 - the house's word
    """It can't work like this, and a restart won't help: {what is wrong, and what to do}.

    The text is one line for stderr: what is wrong, then what to do about it.
    """

    exit_code = 3


class WrongUsage(Fatal):
    """The arguments make no sense together: {which, and what would}."""

    exit_code = 2
