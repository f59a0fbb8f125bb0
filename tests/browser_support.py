"""A real Chromium, where there is one, driven by Playwright."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """The path of the browser; the test is skipped where there is none (on Debian: `apt-get install chromium`)."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed, and CHROMIUM names none")
    return found


@contextmanager
def open_browser() -> Iterator["Browser"]:
    path = chromium()
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A tab that remembers what went wrong in it and what it asked of the network.

    Attributes:
        page: Playwright's page.
        complaints: messages of the console, and uncaught errors.
        requests: addresses that were asked for.
    """

    def __init__(self, browser: "Browser", **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def close(self) -> None:
        self.context.close()


class Tabs:
    """Opens pages of the project from their files; each must have been quiet, and ask nothing of a network.

    Attributes:
        opened: all tabs, of which tests may want more than the page.
    """

    def __init__(self, browser: "Browser") -> None:
        self.opened: list[Watched] = []
        self._browser = browser

    def open(self, path: Path, link: str = "", **options: Any) -> Any:
        """The page, when its script has run."""
        tab = Watched(self._browser, **{"viewport": {"width": 1200, "height": 900}, **options})
        self.opened.append(tab)
        tab.page.goto(path.as_uri() + link)
        tab.page.evaluate("window.attnfocus?.ready")
        return tab.page

    def close(self) -> None:
        for tab in self.opened:
            assert tab.complaints == []
            assert {address.partition(":")[0] for address in tab.requests} == {"file"}
            tab.close()


def wait_until(page: Any, condition: str, seconds: float = 20.0) -> None:
    """Until an expression is true in a page; `wait_for_function` would need a policy that allows `eval`."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(20)


def processor_seconds(page: Any) -> float:
    """Seconds of the processor that a page has taken since it was opened; what other processes do does not count."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    figures = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    return float(next(each["value"] for each in figures if each["name"] == "ProcessTime"))
