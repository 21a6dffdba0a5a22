"""Whether a member of a group stands by: it has joined, and there is no partition for it.

Under the new protocol (KIP-848) librdkafka tells nothing where a member is given nothing: no callback comes, and its
statistics say that it is about to join for as long as it lives. What can be told is that the group's coordinator is
known and answers, and that this was so for longer than it takes to be given something.
"""

from __future__ import annotations

import json

STANDS_BY_AFTER_MS = 4_000
"""Members speak with the coordinator every second on the local broker, every five seconds unless set otherwise."""


def stands_by(statistics: str) -> bool:
    """Tell it from librdkafka's statistics, of a member that was given nothing so far."""
    group = json.loads(statistics).get("cgrp", {})
    return bool(group.get("state") == "up" and group.get("stateage", 0) >= STANDS_BY_AFTER_MS)
