"""``docs/forecasts.md`` is what ``make forecasts`` writes: the head as it is, and a section for each table."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_report_has_the_head_as_it_is_and_both_tables():
    # Mend it with: make forecasts
    text = (DOCS / "forecasts.md").read_text("utf-8")
    assert text.startswith((DOCS / "forecasts.head.md").read_text("utf-8"))
    sections = text.split("\n## ")[1:]
    assert [section.split("\n")[0] for section in sections] == [
        "Donations in Malaysia by ABO group, weekly",
        "New donors by state of Malaysia, weekly",
    ]
    for section in sections:
        assert "| seasonal naive |" in section
        assert "| ETS |" in section
