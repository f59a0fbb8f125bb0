"""Screenshots of pages and terminals for the docs, from small runs that it trains itself where they are not there yet.

    ATTNFOCUS_DATA=DATA python scripts/screenshots.py docs/images
    python scripts/screenshots.py docs/images --only compare --runs outputs/screenshots

It takes ten minutes of a core, and needs Chromium, Playwright (the dev extra), and SST-2 and eraser_movies below DATA.
`attention-presets.png` and `learning.png` are made by gallery.py.
"""

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI, TerminalTheme

import attnfocus
from attnfocus.display.palette import Mode
from attnfocus.inspection.terminal import print_inspection

MAX_BYTES = 300_000
WIDE, PHONE = 1440, 390
SHORT = ("trainer.max_epochs=null", "report=true", "device=cpu")
DATES = ("dataset=dates", "dataset.num_train=4000", "dataset.num_valid=100", "dataset.num_test=100")
TEXT, EXAMPLE = "We met on Friday, 3 May 1999", "We met on 3 May 1999"
REVIEW = "a warm , funny and surprisingly moving film , though far too long"
SMALL = ("model=seq2seq", "model.embed_dim=64", "model.hidden_size=64", "model.dropout=0.1", "optimizer.lr=0.005")
RUNS = {
    "dates": (*SMALL, *DATES, "trainer.max_steps=500", "trainer.evaluate_every_steps=100", *SHORT),
    "classifier": (
        *("model=transformer", "dataset=sst2", "model.num_layers=2", "model.embed_dim=32", "attention=multi_head"),
        *("attention.num_heads=4", "trainer.max_steps=250", "trainer.evaluate_every_steps=50", *SHORT),
    ),
    "movies": (
        *("model=rnn_classifier", "dataset=eraser_movies", "model.embed_dim=64", "model.hidden_size=64"),
        *("optimizer.lr=0.005", "trainer.max_steps=100", "trainer.evaluate_every_steps=20", *SHORT),
    ),
}
INPUTS = {"dates": [f"text={TEXT}"], "classifier": [f"text={REVIEW}"], "movies": []}  # what inspect is given
SWEEP = (
    *("-m", *SMALL, *DATES, "attention=additive,dot", "seed=1,2", "trainer.max_steps=200"),
    *("trainer.max_epochs=null", "trainer.evaluate_every_steps=40", "device=cpu"),
)
SEARCH = (
    *("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=20", "optimizer.lr=tag(log,interval(5e-4,2e-2))"),
    *("model.dropout=range(0,0.6,0.1)", "attention=additive,general,scaled_dot", "model=seq2seq", *DATES),
    *("model.embed_dim=64", "model.hidden_size=64", "trainer.monitor=loss", "trainer.max_steps=200"),
    *("trainer.evaluate_every_steps=40", "trainer.max_epochs=null", "device=cpu"),
)
TENSORBOARD = {"tensorboard": "images", "tensorboard-curves": "custom_scalars"}  # picture -> page, of the run on dates
TENSORBOARD_SECONDS = 10  # until the server answers, and until a page has drawn itself
LIGHT_TERMINAL = TerminalTheme(
    (255, 255, 255),
    (27, 31, 36),
    [
        (27, 31, 36),
        (180, 35, 24),
        (20, 110, 60),
        (150, 95, 0),
        (11, 92, 173),
        (130, 50, 130),
        (0, 110, 120),
        (90, 99, 110),
    ],
    [(90, 99, 110)] * 8,
)


@dataclass(frozen=True)
class Shot:
    """A picture of a page.

    Attributes:
        page: file, as from the folder of the runs.
        link: what follows the file in the address.
        at: what is at the top of the picture; empty: the top of the page.
        size: width and height in pixels.
        is_printed: whether it is as on paper.
        options: of Playwright's context: color_scheme, locale, forced_colors.
    """

    name: str
    page: str
    link: str = ""
    at: str = ""
    size: tuple[int, int] = (WIDE, 900)
    is_printed: bool = False
    options: dict[str, Any] = field(default_factory=dict)


DARK: dict[str, Any] = {"color_scheme": "dark"}
SHOTS = (
    Shot("inspect-dates", "seen-dates/index.html", "#query=7"),
    Shot("inspect-dark", "seen-classifier/index.html", "#attention=layers.1.self&scale=uniform", options=DARK),
    Shot(
        *("inspect-phone", "seen-classifier/index.html", "#attention=layers.1.self&head=1&scale=uniform"),
        size=(PHONE, 844),
        options={**DARK, "locale": "zh-CN"},
    ),
    Shot("inspect-print", "seen-dates/index.html", "#query=7", size=(1000, 900), is_printed=True, options=DARK),
    Shot("inspect-forced-colors", "seen-dates/index.html", "#query=7", options={"forced_colors": "active"}),
    Shot("inspect-evidence", "seen-movies/index.html"),
    Shot("report", "classifier/report.html", size=(WIDE, 1100)),
    Shot("report-mistakes", "classifier/report.html", at="#confusion", size=(WIDE, 1000), options=DARK),
    Shot("report-phone", "dates/report.html", size=(PHONE, 844), options={"locale": "zh-CN"}),
    Shot("compare", "compared/compare.html", size=(WIDE, 1000)),
    Shot("compare-chinese", "compared/compare.html", size=(WIDE, 1000), options={**DARK, "locale": "zh-CN"}),
    Shot("compare-example", "compared/compare.html", at="section[aria-label='One example']", size=(WIDE, 900)),
)


def attnfocus_run(*words: str) -> None:
    """A command, which must succeed."""
    subprocess.run([sys.executable, "-m", "attnfocus", *words], check=True)


def make_runs(folder: Path) -> None:
    """Trains what is not there yet."""
    for name, words in RUNS.items():
        if not (folder / name / "report.html").exists():
            attnfocus_run("train", *words, f"run_dir={folder / name}")
    for name, inputs in INPUTS.items():
        if not (folder / f"seen-{name}").exists():
            attnfocus_run("inspect", f"run={folder / name}", *inputs, "files=[html]", f"output={folder}/seen-{name}")
    if not (folder / "sweep").exists():
        attnfocus_run("train", *SWEEP, f"hydra.sweep.dir={folder}/sweep")
    if not (folder / "compared").exists():
        attnfocus_run("compare", f"{folder}/sweep", f"example={EXAMPLE}", f"run_dir={folder}/compared")
    if not (folder / "search").exists():
        attnfocus_run("train", *SEARCH, f"hydra.sweep.dir={folder}/search")


def shots_of(browser: Browser, folder: Path, only: str, shots: Sequence[Shot]) -> Iterator[tuple[str, bytes]]:
    """The pictures of pages whose names begin so."""
    for shot in shots:
        if not shot.name.startswith(only):
            continue
        width, height = shot.size
        context = browser.new_context(viewport={"width": width, "height": height}, **shot.options)
        page = context.new_page()
        page.goto((folder / shot.page).resolve().as_uri() + shot.link)
        page.evaluate("window.attnfocus?.ready")
        if shot.is_printed:
            page.emulate_media(media="print")
        if shot.at:
            page.evaluate("(place) => document.querySelector(place).scrollIntoView()", shot.at)
        page.wait_for_timeout(500)
        yield shot.name, page.screenshot()
        context.close()


def terminal_html(run: Path, mode: Mode) -> str:
    """What inspect prints on a terminal of 110 columns, as HTML."""
    console = Console(
        file=io.StringIO(), record=True, width=110, force_terminal=True, color_system="truecolor", highlight=False
    )
    found = attnfocus.load(run, device="cpu").inspect(TEXT, method=["attention"])
    console.print(f"$ attnfocus inspect run={run.name} text='{TEXT}' method=attention", markup=False)
    print_inspection(console, found, mode)
    theme = LIGHT_TERMINAL if mode == "light" else DIMMED_MONOKAI
    return console.export_html(theme=theme, inline_styles=True)


def terminal_shot(page: Page, run: Path, mode: Mode) -> bytes:
    page.set_content(terminal_html(run, mode))
    page.add_style_tag(
        content="body { margin: 0; padding: 12px } pre { margin: 0; font-size: 14px; line-height: 19px }"
    )
    return page.screenshot(full_page=True)


def tensorboard_shots(browser: Browser, run: Path, pages: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """The pages of TensorBoard that are named, from a server of its own for the time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", run.name, "--host", "127.0.0.1", "--port", port]
    server = subprocess.Popen(command, cwd=run.parent, stderr=subprocess.DEVNULL)
    try:
        time.sleep(TENSORBOARD_SECONDS)
        for name, page_name in pages.items():
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            page.goto(f"http://127.0.0.1:{port}/#{page_name}")
            page.wait_for_timeout(1000 * TENSORBOARD_SECONDS)
            yield name, page.screenshot(animations="disabled", timeout=60_000)
            page.close()
    finally:
        server.terminate()
        server.wait()


def save(path: Path, png: bytes) -> None:
    """With a palette of 256 colors, below 300 KB."""
    made = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    if len(made.getvalue()) > MAX_BYTES:
        raise ValueError(f"{path} has {len(made.getvalue()):,} bytes, more than {MAX_BYTES:,}")
    path.write_bytes(made.getvalue())
    print(f"{path}  {picture.width} x {picture.height}, {len(made.getvalue()):,} bytes")


def arguments(description: str | None, runs: str) -> argparse.Namespace:
    """What a script that makes pictures is given: `folder`, `runs`, `only`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, default=Path(runs), help="where runs are, or are trained")
    parser.add_argument("--only", default="", help="how the names of the pictures begin")
    return parser.parse_args()


@contextmanager
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def main() -> None:
    given = arguments(__doc__, "outputs/screenshots")
    make_runs(given.runs)
    with chromium() as browser:
        for name, png in shots_of(browser, given.runs, given.only, SHOTS):
            save(given.folder / f"{name}.png", png)
        wanted = {name: page for name, page in TENSORBOARD.items() if name.startswith(given.only)}
        for name, png in tensorboard_shots(browser, given.runs / "dates", wanted) if wanted else ():
            save(given.folder / f"{name}.png", png)
        if "search-dates".startswith(given.only):
            save(given.folder / "search-dates.png", (given.runs / "search" / "search.png").read_bytes())
        modes: tuple[Mode, ...] = ("light", "dark")
        for mode in modes:
            if f"inspect-terminal-{mode}".startswith(given.only):
                page = browser.new_page(viewport={"width": 1000, "height": 200})
                save(given.folder / f"inspect-terminal-{mode}.png", terminal_shot(page, given.runs / "dates", mode))


if __name__ == "__main__":
    main()
