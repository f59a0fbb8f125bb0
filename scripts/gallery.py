"""Pictures for the docs: all attention presets on one sentence, and how a model learned where to look.

    python scripts/gallery.py presets docs/images/attention-presets.png
    python scripts/gallery.py learning docs/images/learning.png

The presets are not trained: equal words have equal vectors, neighbors have similar ones, and all weights are drawn with
the same seed. So the picture shows what the score, the normalizer, the pattern and the position do by themselves. The
second picture is of a small model on dates, in some minutes: an animated PNG, a frame for each evaluation.
"""

import argparse
import io
import math
import zlib
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
from attnfocus.display.canvas import COLORS, FILE_DPI, INK, to_png
from attnfocus.display.figures import heat_map
from attnfocus.events import Evaluated, Listener, Sample

SENTENCE = ["the", "cat", "that", "chased", "the", "mice", "sat", "on", "the", "mat", "and", "the", "mice", "ran"]
DIM, HEADS, ACROSS = 64, 4, 6
# Patterns so narrow that they show in a sentence of 14 words.
NARROW = {
    "local": "attention.pattern.window=2",
    "longformer": "attention.pattern.window=2",
    "strided": "attention.pattern.stride=4",
    "block_sparse": "attention.pattern.block_size=3",
    "bigbird": "attention.pattern.block_size=2 attention.pattern.num_global=2 attention.pattern.num_random=1",
}
MAX_FRAMES, FRAME_MILLISECONDS, LAST_MILLISECONDS = 24, 350, 3000


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


class Frames(Listener):
    """Keeps the map of the first sample of each evaluation of valid."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, float, Sample]] = []

    def on_evaluation(self, event: Evaluated) -> None:
        if event.split == "valid" and event.samples:
            self.kept.append((event.step, event.metrics["exact_match"], event.samples[0]))


def learning_frames(run_dir: str, overrides: list[str]) -> list[tuple[int, float, Sample]]:
    """Trains the model of the second picture."""
    frames = Frames()
    typed = ["model=seq2seq", "trainer.evaluate_every_steps=20", "trainer.max_steps=480", "trainer.max_epochs=null"]
    typed += ["dataset.num_valid=200", "dataset.num_test=50", f"run_dir={run_dir}", *overrides]
    run(CommandLine("train", ()).compose(typed), typed, [frames])
    return frames.kept


def draw_learning(kept: list[tuple[int, float, Sample]]) -> list[Image.Image]:
    """A picture for each evaluation, all on the scale from 0 to 1 and with the same size and labels of columns."""
    longest = max(len(sample.query_tokens["cross"]) for _, _, sample in kept)
    pictures = []
    for step, exact, sample in kept[:: math.ceil(len(kept) / MAX_FRAMES)]:
        weights = sample.weights["cross"].mean(axis=0, keepdims=True)
        padded = np.full((1, longest, weights.shape[2]), np.nan, dtype=np.float32)
        padded[:, : weights.shape[1]] = weights
        labels = [*sample.query_tokens["cross"], *[" "] * longest][:longest]
        title = f"step {step:,}: {exact:.0%} of dates right"
        axes = ("written", "read")
        figure = heat_map(padded, labels, sample.key_tokens, title, axes=axes, ends=(0.0, 1.0))
        png, _, _ = to_png(figure)
        pictures.append(Image.open(io.BytesIO(png)).convert("RGB"))
    size = max(each.width for each in pictures), max(each.height for each in pictures)
    padded_pictures = []
    for each in pictures:
        page = Image.new("RGB", size, "white")
        page.paste(each, (0, 0))
        padded_pictures.append(page.quantize(128))
    return padded_pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["presets", "learning"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--run-dir", default="outputs/gallery", help="of the model that is trained for `learning`")
    parser.add_argument("overrides", nargs="*", help="further keys of train, for `learning`")
    given = parser.parse_args()
    if given.what == "presets":
        given.file.write_bytes(to_png(draw_presets())[0])
        return
    first, *rest = draw_learning(learning_frames(given.run_dir, given.overrides))
    times = [FRAME_MILLISECONDS] * len(rest) + [LAST_MILLISECONDS]
    first.save(given.file, save_all=True, append_images=rest, duration=times, loop=0)


if __name__ == "__main__":
    main()
