"""Which deferrals name item 52."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.rule_items import kept_item, names_item_52


@pytest.mark.parametrize(
    "text",
    [
        "item 52",
        "items 43,52",
        "items 52, 60",
        "items 51-53",
        "items 51–53",
        "items 51 — 53",
        "items 51‑53",
        "items 51−53",
        "items 53-51",
        "Items 50 to 60",
        "items 50 through 54",
        "items 50...54",
        "item 50 - item 54",
        "items 40, 50-60, 75",
        "items 43 and 52",
        "items 43 & 52",
        "between items 50 and 54",
        "ITEM 52",
        "52",
        "item52",
        "item no. 52",
        "item 52(a)",
        "item 52a",
        "item 052",
        "items 43/52",
        "items 51a-53b",
        "ｉｔｅｍ　５２",
        "item 52, 2026-03-04",
        "item " + "0" * 5_000 + "52",
        "items 51" + "." * 200 + "53",
    ],
)
def test_item_52_is_named(text):
    assert names_item_52(text)
    assert kept_item(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "item 5",
        "item 2",
        "items 5, 2",
        "items 5 2",
        "item 152",
        "item 520",
        "items 10-11",
        "items 47,49",
        "items 31-37",
        "items 43,101",
        "items 43 and 101",
        "items 53-60",
        "items 40-51",
        "item 46 (2026-01-05)",
        "something else",
    ],
)
def test_item_52_is_not_named(text):
    assert not names_item_52(text)
    assert kept_item(text) == text


@settings(deadline=None)
@given(first=st.integers(1, 104), last=st.integers(1, 104), dash=st.sampled_from(["-", " - ", "–", " to "]))
def test_a_range_names_what_lies_within_it(first, last, dash):
    low, high = min(first, last), max(first, last)
    assert names_item_52(f"items {low}{dash}{high}") == (low <= 52 <= high)


@settings(deadline=None)
@given(items=st.lists(st.integers(1, 104), min_size=1), comma=st.sampled_from([",", ", ", " and ", "; ", "/"]))
def test_a_list_names_its_members_alone(items, comma):
    assert names_item_52("items " + comma.join(map(str, items))) == (52 in items)


@pytest.mark.parametrize(
    "text",
    [
        "item " + "9" * 5_000,
        "51" + " " * 60_000 + "x y 53",
        "51" + "." * 60_000 + "x y 53",
        "51" + ".. " * 20_000 + "x y 53",
        "51 and 53 " * 6_000,
    ],
    ids=["number", "spaces", "dots", "groups", "pairs"],
)
def test_texts_of_any_length_are_read_at_once(text):
    begun_s = time.process_time()
    assert not names_item_52(text)
    # A matter of milliseconds; a time that grows with the square of the length would be minutes or more.
    assert time.process_time() - begun_s < 10
