"""A broker that was killed is fenced before it is started again.

Until its last session is over, a broker that comes back is still the leader of everything in its own metadata, and
then, for a moment, of nothing. A transaction coordinator that begins its work before that moment meets
`KAFKA-20734 <https://github.com/apache/kafka/pull/22680>`_ (4.1 to 4.3.1): to it a partition without a leader is one
that was deleted, so it completes a transaction without writing the markers that were still missing. What those
partitions hold of it stays open for good: no ``read_committed`` reader gets past it, and the group's offsets stay
unstable.

So the controller runs alone first, with a session of a fifth of a second, until it has fenced the broker; a
coordinator then begins only once it has a leader's listener to send markers to. It is quicker too: the broker needn't
wait for its last session to end.

One that was killed before it led anything again has no session to end: there is nobody to fence, and no
controller would ever say so. What the log says last, of fencing and its opposite, tells.
"""

from __future__ import annotations

import signal
from pathlib import Path

from smartblood.local import children

_SAYS = "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.controller.{}=info"
FLAGS = (_SAYS.format("ReplicationControlManager"),)
"""Of a controller, so that it says whom it fences."""

BROKER_FLAGS = (_SAYS.format("BrokerHeartbeatManager"),)
"""Of the broker, so that it says when it leads, and that it leads no more: a line each."""

SAID = b"Fencing broker"
_NO_MORE = (SAID, b"granted an immediate shutdown")
_LEADS = b"to unfence has been granted"
"""Said a few milliseconds before the metadata have it, so whoever is unfenced has said so."""

SETTINGS = {
    "process.roles": "controller",
    "broker.heartbeat.interval.ms": "50",
    "broker.session.timeout.ms": "200",
}
"""What differs from the broker's settings; ``listeners`` must name the controller's alone."""

COMMIT_S = 0.1
"""From saying so until the metadata have it: a few milliseconds, on one node."""


def is_needed(data: Path, log_path: Path) -> bool:
    """Whether the broker ended without saying so, and leads what it led.

    Parameters
    ----------
    data : Path
        Its folder of metadata and records.
    log_path : Path
        What it and the controllers that fenced it said; where that is gone, it is taken to lead.
    """
    began = (data / "__cluster_metadata-0").is_dir()
    if not began or (data / ".kafka_cleanshutdown").exists():
        return False
    if not log_path.exists():
        return True
    said = log_path.read_bytes()
    return said.rfind(_LEADS) > max(said.rfind(words) for words in _NO_MORE)


def fence(command: list[str], folder: Path, log_path: Path, *, within_s: float) -> bool:
    """Run a controller until it has fenced the broker.

    Parameters
    ----------
    command : list of str
        What starts it: the settings and flags of this module are among its own.
    folder : Path
        Where it runs.
    log_path : Path
        Where it writes what it says.
    within_s : float
        How long it may take, seconds.

    Returns
    -------
    bool
        Whether it was done. If not, the broker can start all the same, at its own pace, and what it then says is
        what a person should hear.

    Raises
    ------
    OSError
        If it can't be started.
    """
    with log_path.open("ab") as log:
        before = log.tell()
        controller = children.spawn(command, cwd=folder, output=log)
    try:
        children.wait_until(lambda: controller.poll() is not None or _said_since(log_path, before), within_s=within_s)
        done = _said_since(log_path, before)
        children.wait_until(lambda: controller.poll() is not None, within_s=COMMIT_S if done else 0.0)
        return done
    finally:
        children.stop(controller, within_s=within_s, by=signal.SIGTERM)


def _said_since(log_path: Path, before: int) -> bool:
    with log_path.open("rb") as log:
        log.seek(before)
        return SAID in log.read()
