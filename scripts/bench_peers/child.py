"""A child process watched from outside: its lines of progress with wall and CPU time, its peak memory, its log.

Nothing inside a toolkit is patched or asked for its own clock, so that all are measured alike. Needs Linux (/proc).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
POLL_SECONDS = 0.02  # between looks at the progress: the resolution of every time


@dataclass(frozen=True)
class Command:
    """What to run.

    Attributes:
        words: the command line.
        progress: a pattern whose first group is the number of the last update; "" for none.
        progress_file: where the lines of progress are written; None: to the log.
        stdin, stdout: files to read from and to write to; None: nothing, and the log.
    """

    words: Sequence[str | Path]
    progress: str = ""
    progress_file: Path | None = None
    stdin: Path | None = None
    stdout: Path | None = None


@dataclass(frozen=True)
class Moment:
    """A line of progress. Seconds since the process began."""

    update: int
    wall: float
    cpu: float  # of the process, user and system
    machine: float  # CPU seconds of all processes of the machine


@dataclass
class Watched:
    """A process that has ended. Times in seconds."""

    wall: float
    cpu: float
    rss_mib: float
    moments: list[Moment] = field(default_factory=list)


class Tail:
    """The whole lines that a growing file has won since the last look."""

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0

    def lines(self) -> list[str]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.position)
            whole = file.read().rpartition(b"\n")[0]
        self.position += len(whole) + 1 if whole else 0
        return whole.decode("utf-8", "replace").split("\n") if whole else []


def environment(threads: int, python: Path) -> dict[str, str]:
    """What every toolkit runs under: as many threads, the programs beside its Python first, no GPU."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(names, str(threads)),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "",
        # OpenNMT-py and fairseq cannot read their own checkpoints with torch >= 2.6 without it
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    }


def watch(command: Command, env: Mapping[str, str], log: Path, *, stop_at_first: bool = False) -> Watched:
    """Runs a command to its end, or to its first line of progress.

    Raises:
        SystemExit: it failed, or showed no progress; the message names its log.
    """
    began, machine_before = time.perf_counter(), _cpu_of_machine()
    tail, moments, is_over = Tail(command.progress_file or log), list[Moment](), False
    with ExitStack() as stack:
        log_file = stack.enter_context(log.open("wb"))
        stdout = stack.enter_context(command.stdout.open("wb")) if command.stdout else log_file
        stdin = stack.enter_context(command.stdin.open("rb")) if command.stdin else subprocess.DEVNULL
        process = subprocess.Popen(
            [str(word) for word in command.words], stdin=stdin, stdout=stdout, stderr=log_file, env=env
        )
        while not is_over:
            is_over = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            for update in _updates(command.progress, tail.lines()):
                wall, machine = time.perf_counter() - began, _cpu_of_machine() - machine_before
                moments.append(Moment(update, wall, _cpu_of(process.pid), machine))
            if stop_at_first and moments and not is_over:
                os.kill(process.pid, signal.SIGKILL)  # Popen's own would wait for it, and with it go its CPU seconds
            time.sleep(POLL_SECONDS)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not (stop_at_first and moments):
        raise SystemExit(f"bench_peers: {command.words[0]} ended with exit code {process.returncode}: see {log}")
    if command.progress and not moments:
        raise SystemExit(f"bench_peers: {command.words[0]} showed no progress: see {log}")
    wall = time.perf_counter() - began
    return Watched(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, moments)


def _updates(pattern: str, lines: Sequence[str]) -> list[int]:
    found = [re.search(pattern, line) for line in lines] if pattern else []
    return [int(match[1].replace(",", "")) for match in found if match]


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process that has not been waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _cpu_of_machine() -> float:
    """CPU seconds of all processes since the machine started."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq = (int(value) for value in file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICK
