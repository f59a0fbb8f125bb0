"""Things that another thread reads: taken as they arrive, with a sign where there is none yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, Queue
from threading import Thread
from typing import TypeVar

PAUSE = 0.05  # seconds without anything after which what has arrived is to be answered
MAX_WAITING = 1000

Thing = TypeVar("Thing")


class _End:
    """The last thing: the producer has ended, or failed."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def arriving(produce: Callable[[Callable[[Thing], None]], None]) -> Iterator[Thing | None]:
    """What `produce` puts, in its order. None says that nothing has arrived for a moment, once for each wait.

    `produce` runs in a thread of its own, and waits where too much is not taken yet.

    Raises:
        What `produce` raises, after all that it has put before.
    """
    waiting: Queue[Thing | _End] = Queue(MAX_WAITING)

    def work() -> None:
        try:
            produce(waiting.put)
        except BaseException as error:  # raised where the things are taken
            waiting.put(_End(error))
        else:
            waiting.put(_End())

    Thread(target=work, daemon=True).start()
    is_owing = False
    while True:
        try:
            thing = waiting.get(timeout=PAUSE if is_owing else None)
        except Empty:
            yield None
            is_owing = False
            continue
        if isinstance(thing, _End):
            if thing.error is not None:
                raise thing.error
            return
        yield thing
        is_owing = True
