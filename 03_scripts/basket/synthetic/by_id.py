"""Random numbers that are a function of an id: the same id always gets the same number."""

from hashlib import sha256

import numpy as np

CUSTOMERS_IN_BLOCK = 206_209  # ids are shuffled within blocks of so many customers


def _mixed(values: np.ndarray) -> np.ndarray:
    """Apply splitmix64: a bijection of 64-bit numbers without visible pattern."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _salt(purpose: str) -> np.uint64:
    return np.uint64(int.from_bytes(sha256(purpose.encode()).digest()[:8], "little"))


def uniform(ids: np.ndarray, purpose: str) -> np.ndarray:
    """Return a number from 0 up to 1 for each id; another purpose gives unrelated numbers."""
    ids = np.asarray(ids, np.uint64)
    return (_mixed(_mixed(ids ^ _salt(purpose))) >> np.uint64(11)) * 2.0**-53


def position(user_ids: np.ndarray, purpose: str) -> np.ndarray:
    """Return the position 0..206208 of each id in a shuffle of its block of 206,209 ids.

    A Feistel network shuffles 18-bit numbers; one that falls outside the block is shuffled again
    until it falls inside. So the ids of a block get each position once.
    """
    half, mask = np.uint64(9), np.uint64(2**9 - 1)
    block, place = np.divmod(
        np.asarray(user_ids, np.uint64) - np.uint64(1), np.uint64(CUSTOMERS_IN_BLOCK)
    )
    keys = _mixed(_salt(purpose) + block)
    pending = np.arange(place.size)
    while pending.size:
        left, right = place[pending] >> half, place[pending] & mask
        for turn in range(4):
            scrambled = _mixed(keys[pending] + np.uint64(turn) ^ right << np.uint64(16))
            left, right = right, left ^ (scrambled & mask)
        place[pending] = left << half | right
        pending = pending[place[pending] >= CUSTOMERS_IN_BLOCK]
    return place.astype(np.int64)
