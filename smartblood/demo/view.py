"""What a person sees of the demo: a live table on a terminal, plain lines elsewhere, and a summary."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from features.compatibility import group_text
from schemas.records import Event

URGENCY_STYLE = {"LOW": "dim", "MEDIUM": "", "HIGH": "yellow", "CRITICAL": "bold red"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One `matches` event and how long it took, in milliseconds, from its request's publishing to its reading."""

    event: Event
    latency_ms: float


@dataclass(slots=True)
class Watch:
    """What has been seen so far.

    Parameters
    ----------
    n_shown : int
        How many of the latest answers the table has.
    """

    n_shown: int = 8
    latest: deque[Answer] = field(default_factory=deque)
    latencies_ms: list[float] = field(default_factory=list)
    n_offers: int = 0
    n_empty: int = 0
    responses: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, answer: Answer) -> None:
        """Take in one answer."""
        self.latest.append(answer)
        while len(self.latest) > self.n_shown:
            self.latest.popleft()
        self.latencies_ms.append(answer.latency_ms)
        offers = len(answer.event["matches"])
        self.n_offers += offers
        self.n_empty += offers == 0


def percentile_ms(latencies_ms: Sequence[float], percent: float) -> float:
    """Return a percentile of the latencies, NaN where there are none."""
    return float(np.percentile(latencies_ms, percent)) if len(latencies_ms) else float("nan")


def live(watch: Watch, *, n_sent: int, n_requests: int, wide: bool) -> Group:
    """Return the table of the latest answers above a line of figures; ``wide`` has room for reasons."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, title="Matches, as they come", title_justify="left")
    table.add_column("request", justify="right", no_wrap=True)
    table.add_column("needs\nurgency", no_wrap=True)
    table.add_column("considered→compatible\n→eligible→askable\n→offered", justify="right", no_wrap=True)
    table.add_column("best three: donor, group, distance, score" + (", why" if wide else ""), ratio=1)
    table.add_column("ms", justify="right", no_wrap=True)
    for answer in watch.latest:
        event = answer.event
        table.add_row(
            str(event["request_id"]),
            Text.assemble(
                (group_text(event["blood_group"]), "bold"),
                f" {needs(event)}\n",
                (event["urgency"].lower(), URGENCY_STYLE[event["urgency"]]),
            ),
            funnel(event),
            best_three(event, wide=wide),
            f"{answer.latency_ms:.0f}",
        )
    return Group(table, Text(figures(watch, n_sent=n_sent, n_requests=n_requests), style="bold"))


def needs(event: Event) -> str:
    """Return units and component in words."""
    return f"{event['units_required']} × {event['component'].lower().replace('_', ' ')}"


def funnel(event: Event) -> str:
    """Return the counts from considered to offered."""
    counts = [event[f"n_{name}"] for name in ("considered", "compatible", "eligible", "askable")]
    return "→".join(f"{count:,}" for count in [*counts, len(event["matches"])])


def best_three(event: Event, *, wide: bool) -> Text:
    """Return the first three offers, a line each; or why there is none."""
    if not event["matches"]:
        return Text(event["empty_because"] or "nobody", style="italic")
    lines = []
    for offer in event["matches"][:3]:
        reasons = [reason for reason in offer["reasons"] if not reason.endswith(" km")]  # it has a column of its own
        why = f"  {', '.join(reasons)}" if wide else ""
        lines.append(
            Text.assemble(
                (f"{offer['donor_id']:>6}", "cyan"),
                f" {group_text(offer['blood_group']):>3} {offer['distance_km']:5.2f} km ",
                (f"{offer['match_score']:.3f}", "green"),
                (why, "dim"),
            )
        )
    return Text("\n").join(lines)


def figures(watch: Watch, *, n_sent: int, n_requests: int) -> str:
    """Return one line: requests, answers, offers, latency."""
    line = (
        f"{n_sent:,} of {n_requests:,} requests sent, {len(watch.latencies_ms):,} answered, {watch.n_offers:,} offers"
    )
    if watch.latencies_ms:
        p50, p99 = percentile_ms(watch.latencies_ms, 50), percentile_ms(watch.latencies_ms, 99)
        line += f"; event to match p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    return line


def plain(answer: Answer) -> str:
    """Return one answer as one line, for logs and pipes."""
    event = answer.event
    start = (
        f"request {event['request_id']} {group_text(event['blood_group'])} {needs(event)} {event['urgency'].lower()}: "
    )
    if not event["matches"]:
        return f"{start}nobody, {event['empty_because']} ({answer.latency_ms:.0f} ms)"
    best = "; ".join(
        f"donor {offer['donor_id']} {offer['match_score']:.3f} ({', '.join(offer['reasons'])})"
        for offer in event["matches"][:3]
    )
    return f"{start}{funnel(event)}; {best} ({answer.latency_ms:.0f} ms)"


def summary(rows: Sequence[tuple[str, str]]) -> Table:
    """Return the closing table of names and values."""
    table = Table(box=box.SIMPLE, show_header=False, title="What happened", title_justify="left", pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows:
        table.add_row(name, value)
    return table
