"""What a person sees of the demo: a live table on a terminal, plain lines elsewhere, and a summary."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import fill

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from features.compatibility import group_text
from schemas.records import Event

WIDE_COLUMNS = 150
"""From here on each thing has a column of its own; below, what was asked stands in one beside the offers."""

LINES_A_ROW = 3
LINES_BESIDES = 11
"""Title, head, and figures on two lines."""

REASON_COLUMNS = 46
"""What a screen of 80 columns has for why nobody is offered, on as many lines as a row has."""

FUNNEL = "considered→compatible\n→eligible→askable\n→offered"
BEST_THREE = "best three: donor, group, distance, score, why"

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


def live(watch: Watch, *, n_sent: int, n_requests: int, width: int, height: int) -> Group:
    """Return the table of the latest answers, as many as the screen has room for, above a line of figures.

    Parameters
    ----------
    width, height : int
        Of the screen, in columns and lines.
    """
    wide = width >= WIDE_COLUMNS
    table = _wide_table() if wide else _narrow_table()
    n_rows = max((height - LINES_BESIDES) // LINES_A_ROW, 1)
    for answer in list(watch.latest)[-n_rows:]:
        event = answer.event
        asked = Text.assemble(
            (group_text(event["blood_group"]), "bold"),
            f" {needs(event)}\n",
            (event["urgency"].lower(), URGENCY_STYLE[event["urgency"]]),
        )
        request, ms = str(event["request_id"]), f"{answer.latency_ms:.0f}"
        if wide:
            table.add_row(request, asked, funnel(event), best_three(event), ms)
        else:
            table.add_row(Text.assemble(f"{request} ", asked, f", {ms} ms\n{funnel(event)}"), best_three(event))
    return Group(table, Text(figures(watch, n_sent=n_sent, n_requests=n_requests), style="bold"))


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, title="Matches, as they come", title_justify="left")


def _wide_table() -> Table:
    table = _table()
    table.add_column("request", justify="right", no_wrap=True)
    table.add_column("needs\nurgency", no_wrap=True)
    table.add_column(FUNNEL, justify="right", no_wrap=True)
    table.add_column(BEST_THREE, ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("ms", justify="right", no_wrap=True)
    return table


def _narrow_table() -> Table:
    table = _table()
    table.add_column(f"request, needs\nurgency, ms\n{FUNNEL}", no_wrap=True)
    table.add_column(BEST_THREE, ratio=1, no_wrap=True, overflow="ellipsis")
    return table


def needs(event: Event) -> str:
    """Return units and component in words."""
    return f"{event['units_required']} × {event['component'].lower().replace('_', ' ')}"


def funnel(event: Event) -> str:
    """Return the counts from considered to offered."""
    counts = [event[f"n_{name}"] for name in ("considered", "compatible", "eligible", "askable")]
    return "→".join(f"{count:,}" for count in [*counts, len(event["matches"])])


def best_three(event: Event) -> Text:
    """Return the first three offers, a line each; or why there is none."""
    if not event["matches"]:
        why = event["empty_because"] or "nobody"
        return Text(fill(why, REASON_COLUMNS, max_lines=LINES_A_ROW, placeholder="…"), style="italic")
    lines = []
    for offer in event["matches"][:3]:
        reasons = [reason for reason in offer["reasons"] if not reason.endswith(" km")]  # it has a column of its own
        lines.append(
            Text.assemble(
                (f"{offer['donor_id']:>6}", "cyan"),
                f" {group_text(offer['blood_group']):>3} {offer['distance_km']:5.2f} km ",
                (f"{offer['match_score']:.3f}", "green"),
                (f"  {', '.join(reasons)}", "dim"),
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
