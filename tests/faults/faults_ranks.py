"""A process of a job, forked from the agent before it has threads, in place of a Python that loads torch anew."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from command_server import become_command


class Rank:
    """Has the part of `subprocess.Popen` that torchrun's agent uses. Waits for `begin`; ends if the agent does.

    Args:
        others: made before this one.
    """

    def __init__(self, others: Iterable["Rank"] = ()) -> None:
        ours, self._agents = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            for rank in (self, *others):
                os.close(rank._agents)
            _wait_and_begin(ours)
        os.close(ours)

    def begin(self, arguments: Sequence[str], env: Mapping[str, str]) -> "Rank":
        """Takes the place of `python -m attnfocus ...`, which these are."""
        assert list(arguments[:3]) == [sys.executable, "-m", "attnfocus"]
        with os.fdopen(self._agents, "w") as pipe:
            json.dump({"arguments": arguments[3:], "env": dict(env)}, pipe)
        return self

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("attnfocus", timeout or 0)
            time.sleep(0.01)
        return code


def _wait_and_begin(pipe: int) -> NoReturn:
    os.setsid()  # as the agent asks of `Popen`
    with os.fdopen(pipe) as opened:
        text = opened.read()
    if not text:
        os._exit(0)  # never begun
    request = json.loads(text)
    os.environ.clear()
    os.environ.update(request["env"])
    become_command(request["arguments"])
