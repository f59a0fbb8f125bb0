"""Command lines as processes of their own, forked from one that has imported everything.

Each is a real process (its own folder, environment, exit code, signals), started in milliseconds where
`python -m attnfocus` spends two seconds on imports. Run as a script, this file is the server that forks.
"""

import atexit
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from compositions_kept import keep_compositions

from attnfocus.cli.verbs import VERBS, command_of
from attnfocus.config.overrides import CommandLine

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
CASE_SECONDS = 120.0
# What a command imports sooner or later. Nothing of torch is run before the fork: its threads would not survive it.
LOADED = (
    *map(command_of, VERBS),
    "attnfocus.cli.command",
    "attnfocus.cli.completion",
    "attnfocus.commands.sweep.sweep",
    "attnfocus.tracking.event_file",
    "attnfocus.commands.sweep.search.study_run",
    "alembic",
    "attnfocus.data.sources.dates",
    "babel.dates",
    "babel.numbers",
    "optuna",
    "pooch",
    "requests",
    "sacrebleu.tokenizers.tokenizer_13a",
    "sqlalchemy.dialects.sqlite",
    "torch._dynamo",  # by building a model on the meta device
    "torch.distributed.fsdp",
    "torch.distributed.launcher.api",
    "torch.distributed.tensor",
    "torchmetrics",
)


@dataclass(frozen=True)
class Done:
    """A finished command line."""

    returncode: int
    stdout: str
    stderr: str


class Server:
    """Forks command lines. Close it at the end."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, TESTS, TESTS / "faults"))),
            "OMP_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, **request: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)


class Running:
    """A command line that may still run. `screen` holds what it has written to stderr so far.

    What goes in and comes out is kept in `logs`, a hidden folder of the command's own unless another is given.
    """

    def __init__(
        self,
        server: Server,
        arguments: Sequence[str],
        folder: Path,
        *,
        fault: str | None,
        input: str | bytes | None,
        stdout: Path | None,
        stderr: Path | None,
        env: Mapping[str, str],
        logs: Path | None = None,
    ) -> None:
        self._server = server
        logs = logs or folder / ".said"
        logs.mkdir(exist_ok=True)
        number = len(list(logs.iterdir()))
        given = logs / f"{number}-in"
        given.write_bytes(input if isinstance(input, bytes) else (input or "").encode())
        self._files = (stdout or logs / f"{number}-out", stderr or logs / f"{number}-err")
        for path in self._files:
            path.touch()
        self._is_ours = (stdout is None, stderr is None)
        files = [str(given), *map(str, self._files)]
        self.pid = server.ask(arguments=list(arguments), folder=str(folder), fault=fault, files=files, env=dict(env))

    @property
    def screen(self) -> str:
        return self._files[1].read_text(encoding="utf-8", errors="replace")

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def until(self, text: str, seconds: float = CASE_SECONDS) -> None:
        """Waits until the screen says `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} was not said:\n{self.screen}"
            time.sleep(0.01)

    def wait(self, seconds: float = CASE_SECONDS) -> Done:
        code = self._server.ask(wait=self.pid, seconds=seconds)
        out, err = (
            path.read_text(encoding="utf-8", errors="replace") if ours else ""
            for path, ours in zip(self._files, self._is_ours, strict=True)
        )
        return Done(code, out, err)


def serve() -> None:
    """A request per line; answers each with a number: of the process, or its exit code."""
    for name in LOADED:
        importlib.import_module(name)
    keep_compositions()
    _warm_up()
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = _wait(request["wait"], request["seconds"])
        else:
            answer = os.fork()
            if answer == 0:
                answers.close()
                _become(request)
        answers.write(f"{answer}\n")
        answers.flush()


def _warm_up() -> None:
    """Fills the caches of what is Python alone, which is most that a small command does."""
    from attnfocus.data.sources.dates import Dates

    CommandLine("train", ("model=seq2seq", "seed=1")).check()  # Hydra's plugins, the tables of its parser
    for verb in VERBS:
        CommandLine(verb, ()).compose(())
    CommandLine("train", ()).compose(("dataset=parallel_text",))
    Dates(num_train=1, num_valid=1, num_test=1).read(ROOT, seed=1)  # Babel's locales


def _wait(pid: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return 124


def _become(request: Mapping[str, Any]) -> NoReturn:
    """In the child of the server: takes its folder, environment and streams, then the command's place."""
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]  # as with -m
    os.environ.update(request["env"])
    time.tzset()
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, (path, mode) in enumerate(zip(request["files"], modes, strict=True)):
        opened = os.open(path, mode)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(os.dup(0), encoding="utf-8")
    become_command(request["arguments"], request["fault"])


def become_command(arguments: Sequence[str], fault: str | None = None) -> NoReturn:
    """In a forked process: takes the place of `python -m attnfocus ARGUMENTS`."""
    sys.argv = ["attnfocus", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    from attnfocus.cli import main

    if fault:
        import faults_put_in

        getattr(faults_put_in, fault)()
    code = 1
    try:
        code = main()
    except BaseException:  # main lets nothing through, says a test that sees this on the screen
        traceback.print_exc()
    atexit._run_exitfuncs()  # which has no public name
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking down the interpreter would cost as much as most commands


if __name__ == "__main__":
    serve()
