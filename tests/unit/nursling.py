"""What the tests of the nursery let be born: it says what it is, or waits, or ends as it is told."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path


def main() -> None:
    done = sys.argv[1]
    if done == "tell":
        told = {
            "arguments": sys.argv[2:],
            "environment": dict(os.environ),
            "folder": str(Path.cwd()),
            "session": os.getsid(0) == os.getpid(),
            "imported": [name for name in ("numba", "consumers.matching", "prometheus_client") if name in sys.modules],
            "threads": threading.active_count(),
        }
        print(json.dumps(told))
        print("said", file=sys.stderr)
    elif done == "wait":
        print("here", flush=True)
        until = time.monotonic() + 600
        while time.monotonic() < until:
            time.sleep(
                0.05
            )  # Python hears of a signal between calls: one that comes right before a long one is lost in it
    else:
        sys.exit(int(sys.argv[2]))


if __name__ == "__main__":
    main()
