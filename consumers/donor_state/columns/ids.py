"""Telling an event that came before, in kernels: what ``repeats`` says, byte for byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consumers.donor_state.columns.desk import N_AGED, N_SEEN, Desk
from consumers.donor_state.columns.numbers import put_id
from consumers.donor_state.repeats import (
    AGED_SIZE,
    AHEAD_MAX,
    DAY_US,
    DAYS_MAX,
    DIGEST,
    ID,
    SIZE,
    STEP_US,
    TIMESTAMP_MAX,
)
from features.kernels import part
from schemas.identifiers import REMEMBERED_MS

_DIGEST_SIZE = AGED_SIZE - DIGEST
_IV = np.array(
    [
        0x6A09E667F3BCC908,
        0xBB67AE8584CAA73B,
        0x3C6EF372FE94F82B,
        0xA54FF53A5F1D36F1,
        0x510E527FADE682D1,
        0x9B05688C2B3E6C1F,
        0x1F83D9ABFB41BD6B,
        0x5BE0CD19137E2179,
    ],
    np.uint64,
)
_SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
)
_LANES = np.array(
    [
        [0, 4, 8, 12],
        [1, 5, 9, 13],
        [2, 6, 10, 14],
        [3, 7, 11, 15],
        [0, 5, 10, 15],
        [1, 6, 11, 12],
        [2, 7, 8, 13],
        [3, 4, 9, 14],
    ]
)


@part
def came_before(desk: Desk, high: int, low: int) -> bool:
    """Return whether an event of this id is remembered, from whichever source."""
    piece = desk.piece
    put_id(piece, ID, high, low)
    for source in range(3):
        if _holds(desk.seen[source], desk.numbers[N_SEEN + source], piece, ID, SIZE):
            return True
    if desk.numbers[N_AGED] == 0:
        return False
    digest(desk.words, piece, ID, piece, DIGEST)
    return _holds(desk.aged, desk.numbers[N_AGED], piece, DIGEST, AGED_SIZE)


@part
def remember(desk: Desk, high: int, low: int, source: int, timestamp_ms: int, occurred_at: int) -> None:
    """Remember an event, and shorten those of its source that are more than 7 days older than its latest."""
    seen, piece = desk.seen[source], desk.piece
    ahead_us = occurred_at - timestamp_ms * 1000
    ahead = min((ahead_us + STEP_US - 1) // STEP_US, AHEAD_MAX) if ahead_us > 0 else 0
    _put_big(piece, 0, min(timestamp_ms, TIMESTAMP_MAX), 6)
    _put_big(piece, 6, ahead, 2)
    put_id(piece, ID, high, low)
    n_bytes = _insert(seen, desk.numbers[N_SEEN + source], piece, SIZE)
    oldest = max(_big(seen, n_bytes - SIZE, 6) - REMEMBERED_MS, 0)
    n_old = 0
    while _big(seen, n_old, 6) < oldest:
        _age(desk, seen, n_old)
        n_old += SIZE
    if n_old:
        for i in range(n_old, n_bytes):
            seen[i - n_old] = seen[i]
    desk.numbers[N_SEEN + source] = n_bytes - n_old


@part
def _age(desk: Desk, seen: NDArray[np.uint8], at: int) -> None:
    latest_us = _big(seen, at, 6) * 1000 + _big(seen, at + 6, 2) * STEP_US
    digest(desk.words, seen, at + ID, desk.piece, DIGEST)
    _put_big(desk.piece, 0, min((latest_us + DAY_US - 1) // DAY_US, DAYS_MAX), DIGEST)
    desk.numbers[N_AGED] = _insert(desk.aged, desk.numbers[N_AGED], desk.piece, AGED_SIZE)


@part
def _holds(pieces: NDArray[np.uint8], n_bytes: int, wanted: NDArray[np.uint8], place: int, size: int) -> bool:
    for at in range(0, n_bytes, size):
        i = place
        while i < size and pieces[at + i] == wanted[i]:
            i += 1
        if i == size:
            return True
    return False


@part
def _insert(pieces: NDArray[np.uint8], n_bytes: int, piece: NDArray[np.uint8], size: int) -> int:
    """Put a piece behind those that aren't greater; return how many bytes there are then."""
    at = n_bytes
    while at and _is_less(piece, pieces, at - size, size):
        for i in range(size):
            pieces[at + i] = pieces[at - size + i]
        at -= size
    for i in range(size):
        pieces[at + i] = piece[i]
    return n_bytes + size


@part
def _is_less(piece: NDArray[np.uint8], pieces: NDArray[np.uint8], at: int, size: int) -> bool:
    for i in range(size):
        if piece[i] != pieces[at + i]:
            return bool(piece[i] < pieces[at + i])
    return False


@part
def _big(content: NDArray[np.uint8], at: int, width: int) -> int:
    number = np.int64(0)
    for i in range(width):
        number = number << 8 | np.int64(content[at + i])
    return int(number)


@part
def _put_big(content: NDArray[np.uint8], at: int, number: int, width: int) -> None:
    for i in range(width - 1, -1, -1):
        content[at + i] = number & 0xFF
        number >>= 8


@part
def _turned(word: np.uint64, n: int) -> np.uint64:
    return word >> np.uint64(n) | word << np.uint64(64 - n)


@part
def digest(words: NDArray[np.uint64], content: NDArray[np.uint8], at: int, found: NDArray[np.uint8], to: int) -> None:
    """Write the six bytes of BLAKE2b of the sixteen at a place (RFC 7693, without a key)."""
    v, m = words[:16], words[16:]
    m[:] = 0
    for i in range(16):
        m[i >> 3] |= np.uint64(content[at + i]) << np.uint64(8 * (i & 7))
    for i in range(8):
        v[i] = v[i + 8] = _IV[i]
    v[0] ^= np.uint64(0x01010000 ^ _DIGEST_SIZE)
    first = v[0]
    v[12] ^= np.uint64(16)
    v[14] = ~v[14]
    for turn in range(12):
        for lane in range(8):
            a, b, c, d = _LANES[lane, 0], _LANES[lane, 1], _LANES[lane, 2], _LANES[lane, 3]
            v[a] += v[b] + m[_SIGMA[turn, 2 * lane]]
            v[d] = _turned(v[d] ^ v[a], 32)
            v[c] += v[d]
            v[b] = _turned(v[b] ^ v[c], 24)
            v[a] += v[b] + m[_SIGMA[turn, 2 * lane + 1]]
            v[d] = _turned(v[d] ^ v[a], 16)
            v[c] += v[d]
            v[b] = _turned(v[b] ^ v[c], 63)
    word = first ^ v[0] ^ v[8]
    for i in range(_DIGEST_SIZE):
        found[to + i] = word >> np.uint64(8 * i) & np.uint64(0xFF)
