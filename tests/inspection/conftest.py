"""A browser for the tests of the page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_support import Watched, open_browser

from attnfocus.inspection.inspection import Inspection


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Saves an inspection's page and opens it; afterwards nothing has gone wrong and nothing was asked for."""
    tabs: list[Watched] = []

    def opened(found: Inspection, link: str = "", **options: Any) -> Any:
        (path,) = found.save(tmp_path / str(len(tabs)), ["html"])
        tab = Watched(browser, **{"viewport": {"width": 1200, "height": 900}, **options})
        tabs.append(tab)
        tab.page.goto(path.as_uri() + link)
        tab.page.evaluate("attnfocus.ready")
        return tab.page

    yield opened
    for tab in tabs:
        assert tab.complaints == []
        assert [address.partition(":")[0] for address in tab.requests] == ["file"]
        tab.close()
