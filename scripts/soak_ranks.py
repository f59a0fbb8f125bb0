"""Kills a run of two processes: its command, one of its ranks, or all of them at once; `soak.py --kinds ddp`.

The ranks are Pythons of their own, begun as a user begins them, so that a life takes seconds.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from soak_life import KILLED, MAX_SECONDS, start
from soak_reference import Reference
from soak_runs import Runs

VICTIMS = ("command", "rank", "rank", "all")
ORPHAN_SECONDS = 15.0  # docs/training.md says 10, on a machine that has time for them
FAILED = 1  # exit code of a command one of whose ranks was killed


class RanksSoak(Runs):
    """As `soak.Soak`, for runs of several processes: kills at random moments."""

    def __init__(self, reference: Reference, num_kills: int, seed: int) -> None:
        super().__init__(reference, seed)
        self.num_kills = num_kills

    @property
    def has_more(self) -> bool:
        return len(self.kills) < self.num_kills

    def one_run(self, run: Path) -> None:
        """Up to four kills, then to the end."""
        for number in range(5):
            is_left_alone = number == 4 or not self.has_more
            moment = MAX_SECONDS if is_left_alone else self.random.uniform(0, self.reference.seconds)
            code, kill = self.live(run, moment)
            if kill is None:
                self.end(run, code)
                return
            self.kills.append(kill)
            if code not in (KILLED, FAILED, 0):
                self.problems.append(f"{run}: exit code {code} after a kill of {kill}")
                return

    def live(self, run: Path, seconds: float) -> tuple[int, str | None]:
        """The exit code, and who was killed when; None if the command ended before.

        Raises:
            TimeoutError: it hangs, or ranks outlive their command.
        """
        process = start(self.next_command(run), run)
        ended: list[int] = []

        def has_ended() -> bool:
            if not ended:
                pid, status = os.waitpid(process, os.WNOHANG)
                ended.extend([os.waitstatus_to_exitcode(status)] if pid else [])
            return bool(ended)

        if _wait(has_ended, seconds):
            return ended[0], None
        if seconds == MAX_SECONDS:
            os.kill(process, signal.SIGKILL)
            raise TimeoutError(f"no end after {seconds:g} s")
        ranks = children_of(process)
        victim = self.random.choice(VICTIMS)
        if victim == "rank" and ranks:
            victims = [self.random.choice(ranks)]
        else:
            victims = [process] if victim == "command" else [process, *ranks]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        if not _wait(has_ended, MAX_SECONDS):
            raise TimeoutError(f"no end after a kill of {victim} at {seconds:.2f} s")
        if not _wait(lambda: not any(map(is_alive, ranks)), ORPHAN_SECONDS):
            raise TimeoutError(f"ranks outlive their command by {ORPHAN_SECONDS:g} s after a kill of {victim}")
        return ended[0], f"{victim} of {1 + len(ranks)} processes after {seconds:.2f} s"


def children_of(process: int) -> list[int]:
    """The processes that it has started. Linux only (/proc)."""
    children = Path(f"/proc/{process}/task/{process}/children")
    return [int(text) for text in children.read_text().split()] if children.exists() else []


def is_alive(process: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait(is_so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
