"""Matching: answers requests with ranked donors.

``memory`` is what is remembered of a request, ``asking`` decides what is answered, ``following`` keeps the donor index,
``matcher`` finds, scores and orders, ``answers`` makes the events, ``processor`` is the processor.
"""

from consumers.matching.processor import Matching

__all__ = ["Matching"]
