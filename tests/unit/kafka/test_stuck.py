import threading
import time

from smartblood.kafka.stuck import StuckDetector


def test_a_loop_that_stopped_turning_is_ended_with_the_stacks_of_all_threads(capfd) -> None:
    ended = threading.Event()
    detector = StuckDetector("matching w0", 0.2, end=lambda code: ended.set() if code else None)
    detector.start()
    assert ended.wait(5)
    detector.close()
    said = capfd.readouterr().err
    assert "matching w0 has been stuck" in said
    assert "test_stuck.py" in said


def test_a_loop_that_turns_is_left_alone() -> None:
    ended = threading.Event()
    detector = StuckDetector("matching w0", 0.4, end=lambda _: ended.set())
    detector.start()
    for _ in range(20):
        detector.beat()
        time.sleep(0.05)
    detector.close()
    assert not ended.is_set()
