"""Pictures for the docs of where models looked in images, clips, recordings, signals and histories of items.

    ATTNFOCUS_DATA=DATA python scripts/sense_pictures.py docs/images
    python scripts/sense_pictures.py docs/images --only audio --runs outputs/senses

Runs that are not there yet are trained, which takes some forty minutes of a core, most of them for `recommendation`
(video_games). It needs Chromium, Playwright (the dev extra), and mnist, fsdd, eeg_confusion and amazon_video_games
below DATA. Figures are those that `inspect` writes, the others are of its page and of that of `compare`.
"""

import os
from pathlib import Path
from typing import NamedTuple

import moving_digits
from screenshots import DARK, Shot, arguments, attnfocus_run, chromium, save, shots_of

from attnfocus.data.reading.download import default_data_dir

VIDEO = (
    *("model=transformer", "dataset=images", "dataset.train={clips}", "model.input.patch_size=32"),
    *("model.dropout=0.1", "trainer.max_epochs=2", "seed=1"),
)
RUNS = {
    "mnist": ("experiment=mnist", "trainer.max_epochs=2", "seed=1"),
    "canvas": ("experiment=canvas", "dataset.digits=mnist", "dataset.size=56", "model.input.patch_size=7", "seed=1"),
    "video": VIDEO,
    "video-sparsemax": (*VIDEO, "attention=scaled_dot_sparsemax"),
    "audio": ("experiment=fsdd", "seed=1"),
    "audio-text": ("experiment=fsdd_strings", "trainer.max_epochs=10", "seed=1"),
    "series": ("model=pooling_classifier", "dataset=eeg_confusion", "model.input.patch_size=4", "seed=0"),
    "recommendation": ("experiment=video_games", "seed=1"),
}
HISTORY = "text=6393 13504 14087"
SEEN = {"recommendation": HISTORY}  # what inspect is given; else the first test rows


class Figure(NamedTuple):
    """One that `inspect` writes: of which run, and how its file is called."""

    name: str
    run: str
    file: str


FIGURES = (
    Figure("images-heads", "mnist", "1_attention_layers.2.png"),
    Figure("images-canvas-mnist", "canvas", "1_attention_pooling.png"),
    Figure("images-video", "video", "1_attention_layers.0.png"),
    Figure("audio-digit", "audio", "1_attention_layers.1.png"),
    Figure("audio-text", "audio-text", "1_attention_cross.png"),
    Figure("series-signal", "series", "1_attention_pooling.png"),
)
SHOTS = (
    Shot("images-page-dark", "seen-mnist/index.html", "#attention=layers.2", size=(1200, 1300), options=DARK),
    Shot("images-canvas-page", "seen-canvas/index.html", "#attention=pooling", size=(1200, 1300)),
    Shot("audio-text-page", "seen-audio-text/index.html", "#query=1", size=(1200, 900)),
    Shot("series-page-dark", "seen-series/index.html", size=(1200, 860), options=DARK),
    Shot("recommendation-items", "seen-recommendation/index.html", "#query=4", size=(1200, 720)),
    Shot("compare-images", "compared/compare.html", at="section[aria-label='One example']", size=(1200, 560)),
)


def make_runs(folder: Path) -> None:
    """Trains what is not there yet, and looks at each."""
    clips = folder / "clips"
    if not clips.exists() and not (folder / "video").exists():
        data = os.environ.get("ATTNFOCUS_DATA")
        moving_digits.write(clips, Path(data) if data else default_data_dir(), 0)
    for name, words in RUNS.items():
        if not (folder / name).exists():
            given = [word.format(clips=clips) for word in words]
            attnfocus_run("train", *given, "report=false", "device=cpu", f"run_dir={folder / name}")
        if not (folder / f"seen-{name}").exists():
            given = ["files=[html,png]", f"output={folder}/seen-{name}"]
            attnfocus_run("inspect", f"run={folder / name}", *filter(None, [SEEN.get(name)]), *given)
    if not (folder / "compared").exists():
        runs = [str(folder / name) for name in ("video", "video-sparsemax")]
        attnfocus_run("compare", *runs, "example=test:left/100.png", f"run_dir={folder}/compared")


def main() -> None:
    given = arguments(__doc__, "outputs/senses")
    make_runs(given.runs)
    for figure in FIGURES:
        if figure.name.startswith(given.only):
            save(given.folder / f"{figure.name}.png", (given.runs / f"seen-{figure.run}" / figure.file).read_bytes())
    with chromium() as browser:
        for name, png in shots_of(browser, given.runs, given.only, SHOTS):
            save(given.folder / f"{name}.png", png)


if __name__ == "__main__":
    main()
