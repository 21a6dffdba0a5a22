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


@lru_cache(maxsize=1 << 12)
def names_item_52(text: str) -> bool:
    """Return whether a deferral's ``rule_item`` names item 52, alone, in a list or within a range.

    ``item 52``, ``items 43,52``, ``items 51-53``, ``Items 50 to 60`` and ``item 52(a)`` do; ``item 5``, ``item 152``
    and ``items 5, 2`` don't. Any dash is a range's dash. In doubt the answer is yes: an item too few is kept.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    numbers = list(_NUMBER.finditer(plain))
    if any(int(number[0]) == UNKEPT_ITEM for number in numbers):
        return True
    for first, last in pairwise(numbers):
        low, high = sorted((int(first[0]), int(last[0])))
        if not low < UNKEPT_ITEM < high <= LAST_THINKABLE_ITEM:
            continue
        between = plain[first.end() : last.start()]
        if _RANGE.fullmatch(between) or (_AND.fullmatch(between) and _BETWEEN.search(plain, 0, first.start())):
            return True
    return False


def kept_item(text: str) -> str:
    """Return the item as it may be kept: as it was named, or ``UNNAMED`` where it names item 52."""
    return UNNAMED if names_item_52(text) else text
