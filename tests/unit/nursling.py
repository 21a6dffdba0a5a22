"""What the tests of the nursery let be born: it says what it is, or waits, or ends as it is told."""

from __future__ import annotations

import json
import os
import signal
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
        # A shell's background job is born deaf to SIGINT, and all that it starts: what runs the tests may be one.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("here", flush=True)
        time.sleep(600)
    else:
        sys.exit(int(sys.argv[2]))


if __name__ == "__main__":
    main()
