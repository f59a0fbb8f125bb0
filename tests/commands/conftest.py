"""A folder for commands that a test runs inside its process by itself."""

from pathlib import Path

import pytest
from tests_support import commands_run_in


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for commands that run inside the test process."""
    commands_run_in(tmp_path, monkeypatch)
    return tmp_path
