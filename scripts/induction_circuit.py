"""Does patching find the two heads of induction? `python scripts/induction_circuit.py --seeds 1 2 3`

Trains for each seed a language model of two layers of four heads on `dataset=induction`, in which one head of each
layer alone can look at other positions: the other three look at their own, in training and after it. So the circuit is
known: the free head of the first layer must look at the token before, that of the second at the place behind an earlier
special symbol. Which heads are free is drawn by the seed. Texts of test are then patched: as they are, and with the
special symbol in another place. Found is the head of each layer that restores most, mean over the texts.
"""

from __future__ import annotations

import argparse
import random
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attnfocus.attention import Attention, ScaledDotScore, replaced_weights
from attnfocus.data import Induction
from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import DataError
from attnfocus.explanation.head_table import name_heads
from attnfocus.explanation.patching import patch
from attnfocus.explanation.removal import with_costs
from attnfocus.models import TransformerLanguageModel
from attnfocus.tasks import LanguageModelingTask

SPECIAL = "*"
NUM_HEADS, LENGTH, BATCH_SIZE = 4, 16, 64


def free_one(free: int, weights: Tensor) -> Tensor:
    """Weights (B, H, Q, K) with all of those of every head but one on the query's own position."""
    own = torch.eye(weights.shape[-1], device=weights.device, dtype=weights.dtype)[-weights.shape[-2] :].expand_as(
        weights
    )
    is_free = torch.arange(weights.shape[1], device=weights.device) == free
    return torch.where(is_free[:, None, None], weights, own)


def learn(model: TransformerLanguageModel, task: LanguageModelingTask, examples: object, num_steps: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    ramp = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=num_steps, pct_start=0.3)
    order = torch.randperm(len(examples))  # type: ignore[arg-type]
    for step in range(num_steps):
        chosen = [examples[int(n)] for n in order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE]]  # type: ignore[index]
        batch = collate(chosen)
        found = task.step(model.train(), batch)
        optimizer.zero_grad()
        (found.loss_sum / found.num_targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        ramp.step()
    model.eval()


def pairs(codec: SequenceCodec, texts: list[str], draw: random.Random) -> list[tuple[Encoded, Encoded]]:
    """Texts up to where the answer is asked, and each with the special symbol elsewhere, before another symbol."""
    found = []
    for text in texts:
        asked = text.split()[:-1]
        place = asked.index(SPECIAL)
        others = [
            other
            for other in range(len(asked) - 2)
            if abs(other - place) > 1 and asked[other + 1] not in (SPECIAL, asked[place + 1])
        ]
        if others:
            other, changed = draw.choice(others), list(asked)
            changed[place], changed[other] = changed[other], changed[place]
            one, two = " ".join(asked), " ".join(changed)
            found.append((codec.encode_input(one, "clean"), codec.encode_input(two, "corrupted")))
    return found


def trial(seed: int, num_steps: int, num_pairs: int) -> bool:
    """Trains, patches, prints; whether both heads were found."""
    draw = random.Random(seed)
    free = [draw.randrange(NUM_HEADS) for _ in range(2)]
    torch.manual_seed(seed)
    source = Induction(vocab_size=8, length=LENGTH, num_train=num_steps * BATCH_SIZE, num_valid=1, num_test=200)
    splits = source.read(Path(), seed).splits
    codec = SequenceCodec.learn(splits["train"], TokenizerOptions(kind="whitespace"))
    sizes: dict[str, Any] = {
        **codec.dims(),
        "embed_dim": 128,
        "num_layers": 2,
        "num_heads": NUM_HEADS,
        "feedforward_dim": 128,
        "max_length": LENGTH + 1,
    }
    model = TransformerLanguageModel(attention=partial(Attention, score=ScaledDotScore), **sizes)
    task, test = LanguageModelingTask(codec), codec.encode_rows(splits["test"])
    with ExitStack() as stack:
        for attention, head in zip(model.attentions().values(), free, strict=True):
            stack.enter_context(replaced_weights(attention, partial(free_one, head)))
        learn(model, task, codec.encode_rows(splits["train"]), num_steps)
        accuracy = task.evaluate(model, [collate(list(test))]).metrics["exact_match"]
        restored, paths = [], []
        for clean, corrupted in pairs(codec, [str(row.input) for row in splits["test"]], draw):
            options = DecodingOptions(max_length=1, at_limit="cut")
            try:
                found = patch(task, model, clean, corrupted, ("heads",), with_paths=True, decoding=options)
            except DataError:  # both are answered alike
                continue
            assert found.paths is not None
            restored.append([part.whole for part in found.parts])
            paths.append(found.paths.restored[:NUM_HEADS, NUM_HEADS:])
            if len(restored) == num_pairs:
                break
        table = with_costs(
            name_heads(task, model, list(test), num_examples=64, split="test"), task, model, list(test), "mean"
        )
    means, path = np.mean(restored, axis=0), np.mean(paths, axis=0)
    best = means.argmax(axis=1).tolist()
    way = [int(each) for each in np.unravel_index(path.argmax(), path.shape)]
    first, second = table.heads[free[0]], table.heads[NUM_HEADS + free[1]]
    costs = sorted((-head.costs["loss"], head.attention, head.number) for head in table.heads)[:2]
    cut = sorted((name, number) for _, name, number in costs) == [("layers.0", free[0]), ("layers.1", free[1])]
    print(
        f"seed {seed}: right {accuracy:.3f}; free {free}; by patching {best}, restoring "
        f"{means[0, free[0]]:.2f} and {means[1, free[1]]:.2f}, others at most {np.sort(means[0])[-2]:.2f} and "
        f"{np.sort(means[1])[-2]:.2f}; path {way}: {path.max():.2f}; by ablation {'the same' if cut else costs}; "
        f"named {first.kind} {first.score:.2f}, {second.kind} {second.score:.2f}; {len(restored)} pairs",
        flush=True,
    )
    return best == free and way == free


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=16)
    given = parser.parse_args()
    found = [trial(seed, given.steps, given.pairs) for seed in given.seeds]
    print(f"found in {sum(found)} of {len(found)} seeds")


if __name__ == "__main__":
    main()
