"""A command line inside the test process: a quarter of a second where a process of its own needs two to load torch.

For what a command does. How a process starts, ends and is stopped (imports, signals, threads, the descriptors of its
streams) needs one: `command_server` or the fixture `attnfocus_process`.
"""

import contextlib
import io
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attnfocus import redaction
from attnfocus.cli import main


def run_here(
    arguments: Sequence[str], folder: Path, *, input: str | bytes = "", env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """What `attnfocus ARGUMENTS` gives in `folder`. What it sets in the process is put back."""
    given = io.TextIOWrapper(io.BytesIO(input if isinstance(input, bytes) else input.encode()), encoding="utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with _process_as_it_was(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        os.environ.update(env or {})
        time.tzset()
        sys.stdin, sys.argv = given, ["attnfocus", *arguments]
        try:
            code = main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    texts = (stream.buffer.getvalue().decode("utf-8", errors="replace") for stream in (out, err))
    return subprocess.CompletedProcess(list(arguments), code, *texts)


@contextlib.contextmanager
def _process_as_it_was(folder: Path) -> Iterator[None]:
    """Goes to `folder`, and puts back folder, environment, streams, paths, secrets and random numbers afterwards.

    Modules that the command has loaded from below `folder` are forgotten: the next test may have others of their names.
    """
    import torch

    before = os.getcwd(), dict(os.environ), sys.argv, sys.stdin, list(sys.path), dict(redaction.known)
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        os.chdir(folder)
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.resetwarnings()  # those of pytest make errors of them, Python's own do not
            for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        path, environment, sys.argv, sys.stdin, sys.path[:], known = before
        os.chdir(path)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        redaction.known.clear()
        redaction.known.update(known)
        torch.use_deterministic_algorithms(is_deterministic)
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file.startswith(f"{folder}{os.sep}"):  # thousands: a `Path` each takes long
                del sys.modules[name]
