"""Work on threads, in order, with few results waiting in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor


def in_order(pool: ThreadPoolExecutor, ahead: int, work: Callable, items: Iterable) -> Iterator:
    """Do what `pool.map` does, but take an item from the source only when there is room for it."""
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
