"""A training step of our language model and of nanoGPT's, in turns in one process: forward, backward, clip, AdamW.

nanoGPT is read from a copy of its repository (github.com/karpathy/nanoGPT), which is no part of this project.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from attnfocus.attention import Attention, CausalPattern, ScaledDotScore
from attnfocus.models import TransformerLanguageModel
from attnfocus.tasks.cross_entropy import linear_cross_entropy
from attnfocus.training.optimizers import adamw

LR, DECAY, BETA2 = 1e-3, 0.1, 0.99


@dataclass(frozen=True)
class Sizes:
    """By default those of nanoGPT's recipe for a CPU."""

    layers: int = 4
    width: int = 128
    heads: int = 4
    block: int = 64
    batch: int = 12
    vocabulary: int = 65


def nanogpt(folder: Path, sizes: Sizes) -> Callable[[Tensor, Tensor], None]:
    """A step of the model in `folder`/model.py: reads (B, L), expects (B, L)."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.GPTConfig(
        block_size=sizes.block,
        vocab_size=sizes.vocabulary,
        n_layer=sizes.layers,
        n_head=sizes.heads,
        n_embd=sizes.width,
        dropout=0.0,
        bias=False,
    )
    model = module.GPT(config)
    optimizer = model.configure_optimizers(DECAY, LR, (0.9, BETA2), "cpu")
    return partial(_step, model, optimizer, lambda read, expected: model(read, expected)[1])


def ours(sizes: Sizes) -> Callable[[Tensor, Tensor], None]:
    """A step of our model of these sizes, without biases as theirs."""
    model = TransformerLanguageModel(
        attention=partial(Attention, score=ScaledDotScore, pattern=CausalPattern),
        vocab_size=sizes.vocabulary,
        embed_dim=sizes.width,
        num_layers=sizes.layers,
        num_heads=sizes.heads,
        feedforward_dim=4 * sizes.width,
        max_length=sizes.block,
        bias=False,
    )
    optimizer = adamw(model.parameters(), lr=LR, beta2=BETA2, weight_decay=DECAY)

    def loss(read: Tensor, expected: Tensor) -> Tensor:
        output = model(read, torch.full((len(read),), read.shape[1]))
        layer = output.output_weight, output.output_bias
        return linear_cross_entropy(output.readout.flatten(0, 1), *layer, expected.flatten()) / expected.numel()

    return partial(_step, model, optimizer, loss)


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[Tensor, Tensor], Tensor], *batch: Tensor
) -> None:
    loss(*batch).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def compare(folder: Path, steps: int, threads: int, sizes: Sizes) -> str:
    """Milliseconds of processor time of a step, quartiles of `steps` after 10, and the ratio of the medians."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    kits = {"attnfocus": ours(sizes), "nanogpt": nanogpt(folder, sizes)}
    read, expected = torch.randint(sizes.vocabulary, (2, sizes.batch, sizes.block))
    found: dict[str, list[float]] = {name: [] for name in kits}
    for number in range(steps + 10):
        for name, step in kits.items():
            start = time.process_time()
            step(read, expected)
            if number >= 10:
                found[name].append(1000 * (time.process_time() - start))
    lines = [f"{sizes}, {threads} threads, milliseconds of processor time of a step: quartiles"]
    quartiles = {name: statistics.quantiles(each, n=4) for name, each in found.items()}
    lines += [f"{name:10} " + "  ".join(f"{each:7.1f}" for each in values) for name, values in quartiles.items()]
    ratio = statistics.median(theirs / mine for mine, theirs in zip(found["attnfocus"], found["nanogpt"], strict=True))
    return "\n".join([*lines, f"attnfocus : nanogpt {ratio:.2f} (above 1 where ours is faster)"])
