"""Reading rule items: which item of the rules a deferral names.

One item is read and never kept: item 52 asks about sexual behaviour. A deferral that names it, alone or among others,
is kept without its item.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

UNKEPT_ITEM = 52
LAST_THINKABLE_ITEM = 999
"""Longer numbers are years or the like, and make no range; the rules have some 104 items."""

UNNAMED = ""
"""What a deferral's ``rule_item`` is where the item is not kept."""

_NUMBER = re.compile(r"\d+")
_RANGE = re.compile(
    r"[\s(]*[a-z]?[\s).]*(?:[-\u2010-\u2015\u2212~\u2026]|\.{2,}|to|till|until|up\s*to|thru|through)[\s(]*"
    r"(?:(?:items?|nos?|numbers?)\b)?[\s.(#]*",
)
_BETWEEN = re.compile(r"between\s+(?:(?:items?|nos?)\b)?[\s.]*$")
_AND = re.compile(r"\s*(?:and|&)\s*(?:(?:items?|nos?)\b)?[\s.]*")
_LETTER = re.compile(r"[^\W\d_]")

_BETWEEN_MAX = 64
"""Longer than this is no wording of a range. Texts come from outside, and these patterns take a time that grows with
the square of what they are matched with."""

_REMEMBERED_MAX = 64
"""Letters of a text whose answer is remembered; longer ones would fill the memory."""


def names_item_52(text: str) -> bool:
    """Return whether a deferral's ``rule_item`` names item 52, alone, in a list or within a range.

    ``item 52``, ``items 43,52``, ``items 51-53``, ``Items 50 to 60`` and ``item 52(a)`` do; ``item 5``, ``item 152``
    and ``items 5, 2`` don't. Any dash is a range's dash. In doubt the answer is yes: an item too few is kept.
    """
    return _remembered(text) if len(text) <= _REMEMBERED_MAX else _names_item_52(text)


def _names_item_52(text: str) -> bool:
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    numbers = list(_NUMBER.finditer(plain))
    if any(_value(number[0]) == UNKEPT_ITEM for number in numbers):
        return True
    for first, last in pairwise(numbers):
        low, high = sorted((_value(first[0]), _value(last[0])))
        if low < UNKEPT_ITEM < high <= LAST_THINKABLE_ITEM and _is_range(plain, first, last):
            return True
    return False


def _is_range(plain: str, first: re.Match[str], last: re.Match[str]) -> bool:
    """Return whether what lies between two numbers makes a range of them; where it is only marks, however many, yes."""
    begin, end = first.end(), last.start()
    if end - begin > _BETWEEN_MAX:
        return not _LETTER.search(plain, begin, end)
    between = plain[begin:end]
    if _RANGE.fullmatch(between):
        return True
    before = plain[max(0, first.start() - _BETWEEN_MAX) : first.start()]
    return bool(_AND.fullmatch(between) and _BETWEEN.search(before))


def _value(digits: str) -> int:
    """Return a number of the text; beyond all items where it has more digits than any of them."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= len(str(LAST_THINKABLE_ITEM)) else LAST_THINKABLE_ITEM + 1


_remembered = lru_cache(maxsize=1 << 12)(_names_item_52)


def kept_item(text: str) -> str:
    """Return the item as it may be kept: as it was named, or ``UNNAMED`` where it names item 52."""
    return UNNAMED if names_item_52(text) else text
