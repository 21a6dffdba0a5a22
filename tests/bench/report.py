"""How benchmarks print: a table with the machine, the versions, medians and between what the runs lay."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path


def machine() -> str:
    """Processor, how many of them, and the interpreter."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"


def versions(*distributions: str) -> str:
    """Names and versions of what was measured."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in distributions)


def spread(values: Iterable[float], form: str = ",.0f") -> str:
    """The median of several runs, and the least and the most of them."""
    runs = sorted(values)
    return f"{statistics.median(runs):{form}} ({runs[0]:{form}}-{runs[-1]:{form}})"


def print_table(title: str, rows: Sequence[Sequence[str]], *distributions: str) -> None:
    """Print rows, the first of which is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n\n{title}\n{machine()}\n{versions(*distributions)}")
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
