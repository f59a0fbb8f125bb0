"""Command lines of the fault suite, and the finished runs that its cases share."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from command_server import Running, Server
from faults_runs import DATES, Run, Start, run_once


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if sys.platform != "linux" and item.path.parent == here and "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="forks processes that have loaded torch, which Linux alone allows"))


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Start:
    """Starts `attnfocus ARGUMENTS` in a folder of the test's own; `fault` is a function of `faults_put_in`."""

    def begin(*arguments: str, cwd: Path = tmp_path, fault: str | None = None, **how: Any) -> Running:
        streams = {name: how.pop(name, None) for name in ("input", "stdout", "stderr")}
        return Running(server, arguments, cwd, fault=fault, **streams, env=how)

    return begin


@pytest.fixture
def run(start: Start) -> Run:
    """Runs `attnfocus ARGUMENTS` to its end."""
    return lambda *arguments, **how: start(*arguments, **how).wait()


@pytest.fixture(scope="session")
def finished(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on dates. Only to be read."""
    return run_once(server, tmp_path_factory.mktemp("finished"), *DATES)


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """The finished run, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "copied"))
