"""The page of an inspection in a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_support import Tabs

from attnfocus.inspection.inspection import Inspection


@pytest.fixture
def show(tabs: Tabs, tmp_path: Path) -> Callable[..., Any]:
    """Saves an inspection's page and opens it."""

    def opened(found: Inspection, link: str = "", **options: Any) -> Any:
        (path,) = found.save(tmp_path / str(len(tabs.opened)), ["html"])
        return tabs.open(path, link, **options)

    return opened
