"""All five models loaded, digests checked: what it takes beyond the process that loads them, each time in a fresh one.

Run by ``make bench``. *Bare* is an interpreter that has imported nothing; *imported* one that has imported what loads
models; *warm* one that has the compiled kernels too, as workers have that a nursery forks.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.report import print_table, spread

N_PROCESSES = 7
PROBE = """
import json, sys, time

def now():
    status = open("/proc/self/status").read().splitlines()
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return time.perf_counter(), time.process_time(), kilobytes / 1_024

points = [now()]
from smartblood.registry.loading import load_forecaster, load_panel
from smartblood.settings import MODELS_DIR
points.append(now())
if sys.argv[1] == "warm":
    from smartblood.preloading import preload
    preload(("matching", "forecasting"))
    points[-1] = now()
panel = load_panel(MODELS_DIR)
points.append(now())
forecaster = load_forecaster(MODELS_DIR)
points.append(now())
print(json.dumps(points))
"""


def differences(kind):
    """Of each process: from bare to ready, then four models, the fifth, all five; s, CPU s and MB each."""
    found = []
    for _ in range(N_PROCESSES):
        done = subprocess.run([sys.executable, "-c", PROBE, kind], capture_output=True, text=True, check=True)
        bare, ready, panel, everything = json.loads(done.stdout)
        spans = ((bare, ready), (ready, panel), (panel, everything), (ready, everything), (bare, everything))
        found.append([[after - before for before, after in zip(*span, strict=True)] for span in spans])
    return found


def test_loading():
    differences("warm")  # what is compiled once for all is compiled
    rows = [("", "ms", "CPU ms", "MB above")]
    for kind, start in (("cold", "imported"), ("warm", "warm")):
        named = (
            f"bare to {start}",
            f"{start}: four models of donors",
            f"{start}: then demand_forecast",
            f"{start}: all five (to reach: 100 ms, 60 MB)",
            f"bare to all five, {start}",
        )
        found = differences(kind)
        for place, name in enumerate(named):
            wall, cpu, megabytes = ([one[place][part] for one in found] for part in range(3))
            milliseconds = (spread([1_000 * one for one in taken]) for taken in (wall, cpu))
            rows.append((name, *milliseconds, spread(megabytes, ".1f")))
    print_table(f"All five models loaded, medians of {N_PROCESSES} processes", rows, "numba", "numpy", "joblib")
