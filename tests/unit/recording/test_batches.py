import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Record
from smartblood.errors import Fatal, Retryable
from smartblood.kafka.batches import Item
from smartblood.settings import Settings
from smartblood.storage.apart import apart
from smartblood.storage.projecting import Projected, batches
from smartblood.storage.recorder import Recorder


def projected(offset, work):
    return Projected(Item(Record("matches", 0, offset, 0, None, None), work=work), ())


@given(st.lists(st.integers(1, 50)), st.integers(1, 60))
def test_batches_hold_all_records_in_order_and_no_more_rows_than_are_allowed(works, rows_max):
    given_ = [projected(n, work) for n, work in enumerate(works)]
    cut = list(batches(given_, rows_max))
    assert [each for batch in cut for each in batch] == given_
    assert all(sum(each.work for each in batch) <= rows_max or len(batch) == 1 for batch in cut)


def test_what_is_done_apart_returns_and_raises_as_if_it_were_here():
    assert apart(lambda: 3, lambda: False, grace_s=1) == 3
    with pytest.raises(ZeroDivisionError):
        apart(lambda: 1 / 0, lambda: False, grace_s=1)


def test_what_hangs_is_left_behind_once_asked_to_stop():
    never = threading.Event()
    began = time.monotonic()
    with pytest.raises(Retryable):
        apart(never.wait, lambda: True, grace_s=0.3)
    assert time.monotonic() - began < 5
    never.set()


def test_what_ends_within_the_grace_is_waited_for():
    assert apart(lambda: time.sleep(0.3) or "done", lambda: True, grace_s=5) == "done"


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(kafka_bootstrap_servers="h:1"), "SMARTBLOOD_DATABASE_URL"),
        (Settings(database_url="postgresql://h/d"), "SMARTBLOOD_KAFKA_BOOTSTRAP_SERVERS"),
        (Settings(kafka_bootstrap_servers="h:1", database_url="mysql://h/d"), "Postgres"),
    ],
)
def test_a_missing_or_foreign_address_is_fatal_in_one_line(settings, missing):
    with pytest.raises(Fatal, match=missing) as said:
        Recorder(settings, "a")
    assert "\n" not in str(said.value)
