"""Doing something with many things at once, in their order, with few of them in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ecr_warden.errors import EcrWardenError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    pool: ThreadPoolExecutor, function: Callable[[_Item], _Result], items: Iterable[_Item], *, ahead: int
) -> Iterator[_Result]:
    """Give what a function makes of each item, in the items' order.

    Parameters
    ----------
    pool
        The threads.
    function
        What is done; its error is raised in its item's turn, and nothing after it is begun.
    items
        Taken as they are needed. Where taking one fails with an error of ours, it is raised after the
        results of those before it.
    ahead
        How many items may be taken before the first result is.

    """
    waiting: deque[Future[_Result]] = deque()
    source, failure, is_over = iter(items), None, False
    try:
        while waiting or not is_over:
            while not is_over and len(waiting) < ahead:
                try:
                    waiting.append(pool.submit(function, next(source)))
                except StopIteration:
                    is_over = True
                except EcrWardenError as error:
                    failure, is_over = error, True
            if waiting:
                yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
    if failure is not None:
        raise failure
