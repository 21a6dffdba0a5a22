"""Processes under one that a test started, some of which end while they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable


def command(process: psutil.Process) -> str:
    """The command line; nothing of a process that has ended, reaped or not, since it was listed."""
    try:
        return " ".join(process.cmdline()).rstrip()  # one that was given a title fills the rest with nothing
    except psutil.NoSuchProcess:
        return ""


def named(processes: Iterable[psutil.Process], part: str) -> list[psutil.Process]:
    """Those of the processes that live and have ``part`` in their command lines."""
    return [process for process in processes if part in command(process)]


def workers(pid: int, processor: str) -> list[psutil.Process]:
    """Those under ``pid`` that do a processor's work."""
    family = psutil.Process(pid).children(recursive=True)
    return [worker for worker in named(family, "smartblood worker") if command(worker).endswith(f" {processor}")]
