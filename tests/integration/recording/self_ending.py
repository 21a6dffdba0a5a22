"""A recorder that sends itself a signal at a step; run as a program, with settings, slot, step and signal as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from smartblood import logs
from smartblood.kafka.schema_registry import LOOP_PATIENCE_S, codec_of
from smartblood.settings import Settings
from smartblood.storage.recorder import Recorder


def main() -> None:
    logs.configure()
    given = json.loads(sys.argv[1])
    left = {given["step"]: given["nth"]}

    def probe(step: str) -> None:
        left[step] = left.get(step, 0) - 1
        if step == given["step"] and left[step] == 0:
            os.kill(os.getpid(), getattr(signal, given["signal"]))

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("up", flush=True)
    settings = Settings(**given["settings"])
    codec = codec_of(settings, patience_s=LOOP_PATIENCE_S)
    Recorder(settings, given["slot"], codec=codec, probe=probe).run(stop)


if __name__ == "__main__":
    main()
