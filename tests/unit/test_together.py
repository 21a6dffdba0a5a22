"""Several processors in one process: they stop together, and one that fails takes the others along."""

from __future__ import annotations

import threading

import pytest

from smartblood.errors import Fatal
from smartblood.together import together


class Works:
    def __init__(self, error=None):
        self.error, self.ran, self.stopped = error, threading.Event(), False

    def run(self, stop):
        self.ran.set()
        if self.error is not None:
            raise self.error
        stop.wait()
        self.stopped = True


def test_one_alone_runs_as_it_is():
    alone = Works()
    assert together({"a": alone}) is alone


def test_they_run_side_by_side_and_stop_together():
    works, stop = {"a": Works(), "b": Works()}, threading.Event()
    running = threading.Thread(target=together(works).run, args=(stop,))
    running.start()
    assert all(work.ran.wait(5) for work in works.values())
    assert running.is_alive()
    stop.set()
    running.join(5)
    assert not running.is_alive()
    assert all(work.stopped for work in works.values())


def test_where_one_fails_all_end_and_its_error_is_told():
    works = {"a": Works(), "b": Works(Fatal("no way"))}
    with pytest.raises(Fatal, match="no way"):
        together(works).run(threading.Event())
    assert works["a"].stopped
