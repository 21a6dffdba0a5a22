"""``kernel``: compile a function with numba, and keep what was compiled until any module of this folder changes.

numba keeps compiled code until the file of the function itself changes. But code of functions that it calls and values
of constants that it names are compiled into it, wherever they are written: after an upgrade, code of two versions
would run side by side. So what is kept here carries the stamp of the whole folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

HERE = Path(__file__).parent

Function = TypeVar("Function", bound=Callable[..., Any])


def _stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return names, times and sizes of a folder's modules."""
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*.py"))]
    return tuple((path.relative_to(folder).as_posix(), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


STAMP = _stamp_of(HERE)


def kernel(function: Function) -> Function:
    """Compile ``function`` at its first call, or take what was compiled by the same modules before."""
    compiled: Any = njit(cache=True)(function)
    # numba has no public way to widen its stamp; a test shows that this one is heeded.
    compiled._cache._cache_file._source_stamp = STAMP  # noqa: SLF001
    kept: Function = compiled
    return kept
