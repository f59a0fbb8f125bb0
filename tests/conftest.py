"""The command as users run it, and where the real data sets lie."""

import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_support import Tabs, open_browser
from command_here import run_here
from command_server import Server
from compositions_kept import keep_compositions
from hypothesis import settings

# A shell that starts a job in the background lets it ignore Ctrl-C, and what it starts too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ["ATTNFOCUS_STRICT_TRACKERS"] = "1"  # a fault of our own listeners ends the run, also in children

# A busy machine makes single examples slow, which says nothing about the code. Each run tries the same examples; only
# `make random` draws new ones (--hypothesis-profile=random), whose finds are then kept as `@example`.
settings.register_profile("attnfocus", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("attnfocus")

keep_compositions()

ROOT = Path(__file__).resolve().parent.parent
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow tests come first: whoever is done early takes over many short tests, not the half of a long one."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What is loaded stays to the end: to look through it for garbage takes a tenth of a small command's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _unchanged_logging() -> None:
    """A command that ran inside the test process may have left the logs with another configuration."""
    logging.disable(logging.NOTSET)
    logging.root.setLevel(logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.partition(".")[0] == "attnfocus" and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
            logger.setLevel(logging.NOTSET)
            logger.handlers.clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def tabs(browser: Any) -> Iterator[Tabs]:
    """Opens pages; afterwards nothing has gone wrong in them and nothing was asked for."""
    found = Tabs(browser)
    yield found
    found.close()


@pytest.fixture
def attnfocus(tmp_path: Path) -> Command:
    """Runs `attnfocus ARGUMENTS` in a folder of the test's own, inside the test process, and returns what came of it.

    `input` is what the command reads from stdin; other words are variables of its environment.
    """

    def run(*arguments: str, cwd: Path = tmp_path, input: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
        return run_here(arguments, cwd, input=input, env=env)

    return run


@pytest.fixture
def attnfocus_process(tmp_path: Path) -> Command:
    """`attnfocus`, in a process of its own: for tests of how one starts and ends, which cost two seconds each."""

    def run(
        *arguments: str, cwd: Path = tmp_path, input: str = "", timeout: float = 300, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "attnfocus", *arguments],
            cwd=cwd,
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **env},
        )

    return run


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Starts command lines without the two seconds of imports. For Linux: see `tests/faults/conftest.py`."""
    made = Server()
    yield made
    made.close()
