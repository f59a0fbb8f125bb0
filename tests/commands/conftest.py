"""The commands' tests start theirs from the server."""

import pytest
from tests_support import Command


@pytest.fixture
def attnfocus(quick_attnfocus: Command) -> Command:
    return quick_attnfocus
