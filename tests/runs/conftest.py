"""The commands' tests start theirs from the server, or run them inside the test process."""

from pathlib import Path

import pytest
from tests_support import Command, commands_run_in


@pytest.fixture
def attnfocus(quick_attnfocus: Command) -> Command:
    return quick_attnfocus


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for commands that run inside the test process."""
    commands_run_in(tmp_path, monkeypatch)
    return tmp_path
