"""``kernel`` and ``part``: compile a function with numba, and keep what was compiled until any module here changes.

numba keeps compiled code until the file of the function itself changes. But code of functions that it calls and values
of constants that it names are compiled into it, wherever they are written: after an upgrade, code of two versions
would run side by side. So what is kept here carries the stamp of the whole folder, and that of a kernel elsewhere also
the stamp of the folder in which its own lies.

Nor does numba bear with a kept file that can't be read, such as a power cut leaves: it would fail at every start. Here
such a file is as good as none, and is written anew.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import IndexDataCacheFile

HERE = Path(__file__).parent

Function = TypeVar("Function", bound=Callable[..., Any])


def _stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return names, times and sizes of a folder's modules."""
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*.py"))]
    return tuple((path.relative_to(folder).as_posix(), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


STAMP = _stamp_of(HERE)


UNREADABLE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""What reading a damaged pickle may raise."""


class _KeptFile(IndexDataCacheFile):
    """An index of compiled code, and the code; what of it can't be read isn't there."""

    def _load_index(self) -> Any:  # noqa: ANN401 - numba's
        try:
            return super()._load_index()  # type: ignore[no-untyped-call]  # numba's
        except UNREADABLE:
            return {}

    def _load_data(self, name: str) -> Any:  # noqa: ANN401 - numba's
        try:
            return super()._load_data(name)  # type: ignore[no-untyped-call]  # numba's
        except UNREADABLE as error:
            raise OSError(name) from error  # as if it had been removed: numba compiles and writes it anew


def kernel(function: Function) -> Function:
    """Compile ``function`` at its first call, or take what was compiled by the same modules before."""
    return _kept(function, njit(cache=True)(function))


def part(function: Function) -> Function:
    """Compile what only kernels call, and what only looks into arrays and changes them: it can't make or keep one.

    Without a door for Python and without counting who holds an array, it takes half the time to compile, and to run.
    """
    options: dict[str, Any] = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return _kept(function, njit(cache=True, **options)(function))


def _kept(function: Function, compiled: Any) -> Function:  # noqa: ANN401 - numba's
    # numba has no public way to widen its stamp or to choose the file; a test shows that these are heeded.
    cache = compiled._cache  # noqa: SLF001
    home = Path(function.__code__.co_filename).parent
    stamp = STAMP if home.is_relative_to(HERE) else STAMP + _stamp_of(home.parent)
    kept_file = _KeptFile(cache.cache_path, cache._impl.filename_base, stamp)  # type: ignore[no-untyped-call]  # noqa: SLF001
    cache._cache_file = kept_file  # noqa: SLF001
    kept: Function = compiled
    return kept
