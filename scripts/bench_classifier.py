"""Time of a training step of our Transformer classifier, and of those of x-transformers, torch.nn and transformers.

`python scripts/bench_classifier.py --threads 2`: all variants are built in one process and take turns step by step, so
that whatever else the machine does hits all alike. A batch is --batch texts of up to --length tokens, lengths uniform
in [length / 4, length] and one of them full; 20,000 tokens, 256 wide, 4 layers, 8 heads, 1024 inside, mean pooling, no
dropout, AdamW, float32. Needs the extra `dev`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import transformers
import x_transformers
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import Attention, ScaledDotScore
from attnfocus.models import TransformerClassifier

VOCAB, WIDTH, LAYERS, HEADS, INSIDE, CLASSES = 20_000, 256, 4, 8, 1024, 2
Network = Callable[[int], nn.Module]


class Batch(NamedTuple):
    """ids and mask (B, L), True at tokens; lengths and labels (B,)."""

    ids: Tensor
    mask: Tensor
    lengths: Tensor
    labels: Tensor


class Ours(nn.Module):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.network = TransformerClassifier(
            attention=partial(Attention, score=ScaledDotScore),
            num_classes=CLASSES,
            vocab_size=VOCAB,
            embed_dim=WIDTH,
            num_layers=LAYERS,
            num_heads=HEADS,
            feedforward_dim=INSIDE,
            position="learned",
            max_length=length,
            dropout=0.0,
        )

    def forward(self, batch: Batch) -> Tensor:
        logits: Tensor = self.network(batch.ids, batch.lengths).logits
        return logits


class Pooled(nn.Module):
    """A peer's encoder, with the mean of its vectors and a linear layer behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.output = nn.Linear(WIDTH, CLASSES)

    def forward(self, batch: Batch) -> Tensor:
        mask = batch.mask.unsqueeze(-1)
        pooled = (self.encode(batch) * mask).sum(1) / mask.sum(1)
        logits: Tensor = self.output(pooled)
        return logits

    def encode(self, batch: Batch) -> Tensor:
        """(B, L, D)."""
        raise NotImplementedError


class XTransformers(Pooled):
    def __init__(self, length: int, **options: int | bool) -> None:
        super().__init__()
        layers = x_transformers.Encoder(dim=WIDTH, depth=LAYERS, heads=HEADS, **options)
        self.network = x_transformers.TransformerWrapper(num_tokens=VOCAB, max_seq_len=length, attn_layers=layers)
        self.network.to_logits = nn.Identity()  # a classifier has no layer of 20,000 outputs

    def encode(self, batch: Batch) -> Tensor:
        states: Tensor = self.network(batch.ids, mask=batch.mask, return_embeddings=True)
        return states


class TorchEncoder(Pooled):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCAB, WIDTH), nn.Embedding(length, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, INSIDE, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.network = nn.TransformerEncoder(layer, LAYERS, norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False)

    def encode(self, batch: Batch) -> Tensor:
        embedded = self.tokens(batch.ids) + self.positions.weight[: batch.ids.shape[1]]
        states: Tensor = self.network(embedded, src_key_padding_mask=~batch.mask)
        return states


class Bert(Pooled):
    def __init__(self, length: int) -> None:
        super().__init__()
        config = transformers.BertConfig(
            vocab_size=VOCAB,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            intermediate_size=INSIDE,
            max_position_embeddings=length,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.network = transformers.BertModel(config, add_pooling_layer=False)

    def encode(self, batch: Batch) -> Tensor:
        states: Tensor = self.network(input_ids=batch.ids, attention_mask=batch.mask.long()).last_hidden_state
        return states


VARIANTS: dict[str, Network] = {
    "attnfocus": Ours,
    "torch.nn.TransformerEncoder": TorchEncoder,
    "transformers BertModel": Bert,
    "x-transformers": XTransformers,
    "x-transformers attn_dim_head=32": lambda length: XTransformers(length, attn_dim_head=WIDTH // HEADS),
    "x-transformers attn_dim_head=32 attn_flash": lambda length: XTransformers(
        length, attn_dim_head=WIDTH // HEADS, attn_flash=True
    ),
}


def make_batch(size: int, length: int) -> Batch:
    ids = torch.randint(1, VOCAB, (size, length))
    lengths = torch.randint(length // 4, length + 1, (size,))
    lengths[0] = length
    return Batch(ids, torch.arange(length) < lengths[:, None], lengths, torch.randint(0, CLASSES, (size,)))


class Trained:
    """A variant in training, and how long its steps took: ms, wall and CPU."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.train()
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=3e-4)
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def step(self, batch: Batch) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        F.cross_entropy(self.network(batch), batch.labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.wall.append(1e3 * (time.perf_counter() - wall))
        self.cpu.append(1e3 * (time.process_time() - cpu))

    def figures(self, warm: int) -> dict[str, float]:
        return {
            "median_ms": statistics.median(self.wall[warm:]),
            "min_ms": min(self.wall[warm:]),
            "median_cpu_ms": statistics.median(self.cpu[warm:]),
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=20, help="counted (default: %(default)s)")
    parser.add_argument("--warm", type=int, default=5, help="before them (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="texts (default: %(default)s)")
    parser.add_argument("--length", type=int, default=128, help="tokens of the longest (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    trained = {name: Trained(make(given.length)) for name, make in VARIANTS.items()}
    batch = make_batch(given.batch, given.length)
    for _ in range(given.warm + given.steps):
        for each in trained.values():
            each.step(batch)
    figures = {name: each.figures(given.warm) for name, each in trained.items()}
    print("| | median ms | min ms | median CPU ms | CPU time : ours | M parameters |\n|---|---|---|---|---|---|")
    ours = figures["attnfocus"]["median_cpu_ms"]
    for name, row in figures.items():
        times = f"{row['median_ms']:.0f} | {row['min_ms']:.0f} | {row['median_cpu_ms']:.0f}"
        print(f"| {name} | {times} | {row['median_cpu_ms'] / ours:.2f} | {row['parameters'] / 1e6:.2f} |")
    if given.out is not None:
        given.out.write_text(json.dumps({"threads": given.threads, "figures": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
