"""What a new process gets from a project's kernel, and how often it took what was compiled before.

The process is forked from one that has imported numba, and nothing of this project's own kernels: those are put aside.
"""

from __future__ import annotations

import sys
from importlib import import_module

import numba


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    sys.dont_write_bytecode = True  # Python takes a change within the second for none, where the length is the same
    for name in [name for name in sys.modules if name.partition(".")[0] == "features"]:
        del sys.modules[name]
    numba.config.reload_config()  # type: ignore[attr-defined]  # which folder it caches in, the environment says
    whole = import_module("features.calling").whole
    print(whole(), sum(whole.stats.cache_hits.values()))


if __name__ == "__main__":
    main()
