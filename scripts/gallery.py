"""Pictures for the docs: all attention presets on one sentence, and how a model learned where to look.

    python scripts/gallery.py presets docs/images/attention-presets.png
    python scripts/gallery.py learning docs/images/learning.png

The presets are not trained: equal words have equal vectors, neighbors have similar ones, and all weights are drawn with
the same seed. So the picture shows what the score, the normalizer, the pattern and the position do by themselves. The
second picture is of a small model on dates, in a few minutes: an animated PNG of the maps that its run has kept
(`attnfocus.tracking.map_history`), a frame for each evaluation. They are of the right output, letter by letter.
"""

import argparse
import io
import math
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from attnfocus.commands.train.command import run
from attnfocus.config.check import Checker
from attnfocus.config.folder import shipped_folder
from attnfocus.config.overrides import CommandLine
from attnfocus.config.presets import compose_choice
from attnfocus.config.targets import make_factory
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.display.canvas import COLORS, FILE_DPI, INK, to_png
from attnfocus.display.figures import heat_map
from attnfocus.layout import METRICS_FILE
from attnfocus.runs.evaluation import prepare_data
from attnfocus.runs.loader import load
from attnfocus.tracking.focus_drift import looked_at
from attnfocus.tracking.map_history import read_history
from attnfocus.tracking.metrics_file import logged_metrics

SENTENCE = ["the", "cat", "that", "chased", "the", "mice", "sat", "on", "the", "mat", "and", "the", "mice", "ran"]
DIM, HEADS, ACROSS = 64, 4, 6
# Patterns so narrow that they show in a sentence of 14 words.
NARROW = {
    "local": "attention.pattern.window=2",
    "longformer": "attention.pattern.window=2",
    "strided": "attention.pattern.stride=4",
    "block_sparse": "attention.pattern.block_size=3",
    "sink_window": "attention.pattern.window=2 attention.pattern.num_global=1",
    "moba": "attention.pattern.block_size=3 attention.pattern.k=2",
    "prefix": "attention.pattern.length=5",
    "bigbird": "attention.pattern.block_size=2 attention.pattern.num_global=2 attention.pattern.num_random=1",
}
FRAME_MILLISECONDS, LAST_MILLISECONDS = 900, 3000


def sentence_vectors() -> Tensor:
    """(1, L, DIM): a vector for each word, and one for its place, of which near places have similar ones."""
    rows = []
    for place, word in enumerate(SENTENCE):
        drawn = torch.Generator().manual_seed(zlib.crc32(word.encode()))
        angles = place / 100 ** (torch.arange(DIM // 2) / (DIM // 2))
        rows.append(torch.randn(DIM, generator=drawn) + torch.cat([angles.sin(), angles.cos()]))
    return torch.stack(rows)[None]


def weights_of(preset: str) -> np.ndarray:
    """(L, L): the mean of the heads, of what is cut to one sentence.

    Raises:
        ValueError: the preset needs what a sentence that looks at itself has not; says what.
    """
    checker = Checker()
    checked = checker.component(
        "attention", compose_choice("presets", "attention", f"{preset} {NARROW.get(preset, '')}".strip())
    )
    if checked is None or checker.problems:
        raise ValueError("; ".join(checker.problems))
    torch.manual_seed(1)
    sizes = {f"{name}_dim": DIM for name in ("query", "key", "value", "output")}
    build = partial(make_factory(checked), **sizes, suggested_heads=HEADS, suggested_projections=True)
    module, vectors = build().eval(), sentence_vectors()
    # Queries and keys as large as after some training: small ones look everywhere alike.
    for name, parameter in module.named_parameters():
        if parameter.dim() > 1 and "mixing" not in name:
            parameter.data *= 2.0
    with torch.no_grad():
        _, weights = module(vectors, vectors, need_weights=True)
    if weights is None:
        raise ValueError("gives no weights")
    return weights[0].float().mean(dim=0).numpy()


def draw_presets() -> Figure:
    """A panel for each preset, each from 0 to its own largest weight, which stands in its title."""
    presets = sorted(path.stem for path in (shipped_folder() / "attention").glob("*.yaml"))
    drawn: dict[str, np.ndarray] = {}
    for preset in presets:
        try:
            drawn[preset] = weights_of(preset)
        except ValueError as error:
            print(f"{preset}: left out: {error}")
    down = math.ceil(len(drawn) / ACROSS)
    figure = Figure(figsize=(1.55 * ACROSS, 1.75 * down + 0.9), dpi=FILE_DPI, facecolor="white", layout="constrained")
    style: dict[str, Any] = {"fontsize": 7, "color": INK}
    for number, (preset, weights) in enumerate(drawn.items(), 1):
        axes = figure.add_subplot(down, ACROSS, number)
        largest = float(weights.max())
        axes.imshow(np.ma.masked_invalid(weights), cmap=COLORS, vmin=0, vmax=largest, interpolation="nearest")
        axes.set_title(f"{preset.replace('_', ' ')}\n0 to {largest:.2g}", **style)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.supxlabel(f"looks at: {' '.join(SENTENCE)} (from left to right)", **style)
    figure.supylabel("looks from: the same words, from top to bottom", **style)
    return figure


@dataclass(frozen=True)
class Frame:
    """An evaluation: its step, the share of dates that were right, and where the model looked (Q, K)."""

    step: int
    exact: float
    weights: np.ndarray


def train_dates(run_dir: Path, overrides: list[str]) -> None:
    """Trains the model of the second picture, with 15 evaluations: of so many every second one is kept."""
    typed = ["model=seq2seq", "attention=additive", "dataset=dates", "device=cpu"]
    typed += ["trainer.evaluate_every_steps=15", "trainer.max_steps=225", "trainer.max_epochs=null"]
    typed += ["dataset.num_valid=200", "dataset.num_test=50", f"run_dir={run_dir}", *overrides]
    run(CommandLine("train", ()).compose(typed), typed)


def kept_frames(run_dir: Path, example: int) -> tuple[list[Frame], list[str], list[str]]:
    """What the run has kept of an example (the mean of the heads of `cross`), and its output and input as tokens."""
    history = read_history(run_dir)
    if not history.kept:
        raise SystemExit(f"{run_dir} has kept no maps.")
    frames = []
    for step, weights in zip(history.kept, history.common()[example]["cross"].float().numpy(), strict=True):
        logged = logged_metrics(run_dir / METRICS_FILE, step, "valid") or {}
        frames.append(Frame(step, logged["exact_match"], weights.mean(axis=0)))
    trained = load(run_dir, device="cpu")
    encoded = looked_at(prepare_data(trained.setup, trained.codec), example + 1)[example]
    codec, targets = trained.codec, encoded.targets
    if not isinstance(codec, TextPairCodec) or not isinstance(targets, np.ndarray):
        raise SystemExit(f"{run_dir} writes no texts.")
    written, read = codec.target_tokens(targets[1:]), codec.input_tokens(encoded.inputs)
    if frames[0].weights.shape != (len(written), len(read)):
        raise SystemExit(f"Example {example} is longer than what is kept of it; choose another by --example.")
    return frames, written, read


def draw_learning(frames: list[Frame], written: list[str], read: list[str]) -> list[Image.Image]:
    """A picture for each evaluation, all on the scale from 0 to 1 and of one size."""
    pictures = []
    for frame in frames:
        title = f"step {frame.step:,}: {frame.exact:.0%} of the dates right"
        figure = heat_map(frame.weights[None], written, read, title, axes=("writes", "looks at"), ends=(0.0, 1.0))
        png, _, _ = to_png(figure)
        pictures.append(Image.open(io.BytesIO(png)).convert("RGB"))
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["presets", "learning"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--run-dir", type=Path, default="outputs/gallery", help="of `learning`: trained if not there")
    parser.add_argument("--example", type=int, default=0, help="which of the first four of valid, for `learning`")
    parser.add_argument("overrides", nargs="*", help="further keys of train, for `learning`")
    given = parser.parse_args()
    if given.what == "presets":
        given.file.write_bytes(to_png(draw_presets())[0])
        return
    if not given.run_dir.exists():
        train_dates(given.run_dir, given.overrides)
    first, *rest = draw_learning(*kept_frames(given.run_dir, given.example))
    times = [FRAME_MILLISECONDS] * len(rest) + [LAST_MILLISECONDS]
    first.save(given.file, save_all=True, append_images=rest, duration=times, loop=0)


if __name__ == "__main__":
    main()
