"""Batches answered side by side on the cores of a CPU.

Decoding multiplies a few rows at a time, which several cores hardly do faster than one: two batches on a core each take
little more than half of the time that they take one after the other on two cores.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from torch import distributed

Item = TypeVar("Item")
Result = TypeVar("Result")

_THREADS = threading.Lock()  # held while torch's number of threads is read or set, see `_share_threads`
MAX_WORKERS = 4  # Python itself runs in one of them at a time
_ITEMS_OF_A_WORKER = 16  # taken together, so that none waits long for the others at the end


def num_threads() -> int:
    """Threads of one operation of torch in this thread, which keeps the number from now on."""
    with _THREADS:
        return torch.get_num_threads()


def num_workers(device: torch.device) -> int:
    """How many batches at once; other devices queue them anyway, and processes that talk must do so in one order."""
    if device.type != "cpu" or (distributed.is_available() and distributed.is_initialized()):
        return 1
    return min(MAX_WORKERS, num_threads())


def grouped(items: Iterable[Item], device: torch.device) -> Iterator[list[Item]]:
    """The items in lists such as `side_by_side` takes: single ones where there is one worker."""
    workers, iterator = num_workers(device), iter(items)
    while group := list(islice(iterator, 1 if workers == 1 else workers * _ITEMS_OF_A_WORKER)):
        yield group


def side_by_side(
    answer: Callable[[Item], Result], items: Sequence[Item], device: torch.device, *, in_turn: bool = False
) -> list[Result]:
    """answer(item) for each, in order; without gradients.

    Args:
        in_turn: one after the other, as what draws random numbers must be.
    """
    workers = min(num_workers(device), len(items))

    def one(item: Item) -> Result:
        with torch.inference_mode():  # each thread has its own
            return answer(item)

    if in_turn or workers <= 1:
        return [one(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        _share_threads(pool, workers)
        return list(pool.map(one, items))  # after an error it starts none of those that wait


def _share_threads(pool: ThreadPoolExecutor, workers: int) -> None:
    """Each of the workers gets its share of this thread's threads.

    What a thread sets is also the number of every thread that is yet to begin: nobody else may read it meanwhile.
    """
    with _THREADS:
        threads = torch.get_num_threads()
        all_there = threading.Barrier(workers)

        def take() -> None:
            all_there.wait()  # so that no worker takes two shares, and another none
            torch.get_num_threads()  # else the first operation would, and set what all threads begin with
            torch.set_num_threads(threads // workers)

        try:
            for taken in [pool.submit(take) for _ in range(workers)]:
                taken.result()
        finally:
            all_there.abort()  # where a thread could not be started, the others wait no longer
            torch.set_num_threads(threads)
