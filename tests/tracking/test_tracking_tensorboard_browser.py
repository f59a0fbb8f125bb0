"""TensorBoard in a real browser, on a run of ours: curves, attention maps, samples and hyperparameters appear."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from browser_support import Watched, chromium, open_browser
from tests_support import TINY_DATES, Command, only_run

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def address(attnfocus: Command, tmp_path: Path) -> Iterator[str]:
    """A TensorBoard on a small run, on this machine alone."""
    chromium()  # before anything is trained
    done = attnfocus("train", *TINY_DATES, "trainer.log_every_steps=1", "decoding.max_length=12", "focus.num_samples=1")
    assert done.returncode == 0, done.stderr
    port = free_port()
    arguments = ["--logdir", str(only_run(tmp_path)), "--port", str(port), "--load_fast=false"]
    log = tmp_path / "tensorboard.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tensorboard.main", *arguments],
            stdout=file,
            stderr=file,
            env={**os.environ, "PYTHONPATH": ""},
        )
    try:
        place = f"http://127.0.0.1:{port}/"
        for _ in range(300):
            assert process.poll() is None, log.read_text()
            try:
                with urlopen(f"{place}data/runs", timeout=5) as answer:
                    if answer.read().strip() not in (b"", b"[]"):
                        break
            except OSError:
                pass
            time.sleep(0.2)
        yield place
    finally:
        process.terminate()
        process.wait(30)


def test_a_run_appears_with_curves_maps_samples_and_hyperparameters(address: str) -> None:
    with open_browser() as browser:
        tab = Watched(browser, viewport={"width": 1280, "height": 1000})
        page = tab.page

        def shown(dashboard: str, *words: str) -> None:
            page.goto(f"{address}#{dashboard}")
            page.reload()  # a dashboard after another keeps what it has loaded
            for text in words:
                page.get_by_text(text, exact=True).first.wait_for(timeout=30_000)

        shown("custom_scalars", "curves", "where it looks", "loss (train, valid)")
        page.locator("vz-line-chart2 svg").first.wait_for(timeout=30_000)
        shown("scalars", "tag: train/loss", "train", "valid", "valid_best", "weights_focus")
        page.locator("vz-line-chart2 svg").first.wait_for(timeout=30_000)
        shown("images", "weights_valid")
        page.wait_for_function(
            "() => { const found = []; const walk = (node) => { for (const each of node.querySelectorAll('*')) {"
            " if (each.tagName === 'IMG') found.push(each); if (each.shadowRoot) walk(each.shadowRoot); } };"
            " walk(document); return found.some((each) => each.naturalWidth > 100); }",
            timeout=30_000,
        )
        shown("text", "samples", "prediction", "target", "row of valid", "exact match")
        shown("hparams", "model.hidden_size", "optimizer.lr", "trainer.batch_size", "seed")
        tab.close()
