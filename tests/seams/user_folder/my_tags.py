"""Everything of one's own: a source, a codec over arrays, a third task with its metric, a model, a tracker.

The task: which positions of a sequence of vectors belong to an entity? They are planted: the first number of a vector
is large at an entity and at the position after it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import BaseAttention, Role
from attnfocus.data import Codec, Encoded, RawData, Row
from attnfocus.events import Evaluated, Listener, TrainingStarted
from attnfocus.limits import NonNegativeFloat, PositiveInt
from attnfocus.marks import FilePath
from attnfocus.metrics import Answer, Metric
from attnfocus.models import Model
from attnfocus.tasks import (
    Evaluation,
    ExactSums,
    FirstExamples,
    FocusMeans,
    Inputs,
    Inspected,
    Prediction,
    StepOutput,
    Task,
    answer_all,
    attention_map,
    evaluating,
    in_order,
    looks_of,
    sample_of,
)

TAGS = ("O", "ENTITY")


class TaggedVectors:
    """A file with a line of JSON for each sequence: {"vectors": [[...], ...], "tags": "O ENTITY O"}."""

    task = "tagging"

    def __init__(self, *, corpus: FilePath) -> None:
        self.corpus = corpus

    def read(self, data_dir: Path, seed: int) -> RawData:
        lines = [json.loads(line) for line in Path(self.corpus).read_text(encoding="utf-8").splitlines()]
        rows = [
            Row(f"line:{n}", np.array(line["vectors"], dtype=np.float32), line["tags"]) for n, line in enumerate(lines)
        ]
        return RawData({"train": rows}, [f"read {len(rows)} sequences"])


class TagCodec(Codec):
    """Vectors (L, D), and a tag for each. Encoded when a batch is made; in training with noise on the vectors."""

    kind = "tagged_vectors"
    input_kind = "vectors"
    is_lazy = True

    def __init__(self, input_dim: int, noise: float) -> None:
        self.input_dim, self.noise = input_dim, noise

    @classmethod
    def fits(cls, row: Row) -> bool:
        return not isinstance(row.input, str) and row.input.ndim == 2

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: object, *, noise: NonNegativeFloat = 0.1) -> "TagCodec":
        return cls(rows[0].input.shape[1], noise)

    def dims(self) -> dict[str, int | None]:
        return {"input_dim": self.input_dim, "num_tags": len(TAGS)}

    def lengths(self, row: Row) -> tuple[int, int]:
        return len(row.input), len(row.input)

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        vectors = np.asarray(row.input, dtype=np.float32)
        if generator is not None:
            vectors = vectors + generator.normal(0.0, self.noise, vectors.shape).astype(np.float32)
        tags = np.array([TAGS.index(tag) for tag in row.target.split()], dtype=np.int64)
        return Encoded(row.id, vectors, tags, len(vectors), row, target_count=len(tags))

    def encode_input(self, text: str, id: str, clean: object = None) -> Encoded:
        vectors = np.array(json.loads(text), dtype=np.float32).reshape(-1, self.input_dim)
        return self.encode(Row(id, vectors, " ".join(["O"] * len(vectors))))

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return [f"{position}" for position, _ in enumerate(inputs)]

    def save(self, directory: Path) -> None:
        self.write(directory, input_dim=self.input_dim, noise=self.noise)

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> "TagCodec":
        return cls(int(content["input_dim"]), float(content["noise"]))


class TagOutput(NamedTuple):
    logits: Tensor  # (B, L, tags)
    weights: dict[str, Tensor]


class Tagger(Model):
    """Self-attention over the vectors, in layers that are called as nobody else calls them."""

    tasks = ("tagging",)

    def __init__(
        self,
        *,
        attention: Callable[..., BaseAttention],
        input_dim: int,
        num_tags: int,
        width: PositiveInt = 16,
        depth: PositiveInt = 2,
    ) -> None:
        super().__init__()
        self.stem = nn.Linear(input_dim, width)
        self.blocks = nn.ModuleList(Block(attention, width) for _ in range(depth))
        self.head = nn.Linear(width, num_tags)

    def forward(self, inputs: Tensor, lengths: Tensor, need_weights: bool = False) -> TagOutput:
        mask = torch.arange(inputs.shape[1], device=inputs.device) < lengths.unsqueeze(1)
        states, weights = self.stem(inputs), {}
        for number, block in enumerate(self.blocks):
            states, of_block = block(states, mask.unsqueeze(1), need_weights)
            if of_block is not None:
                weights[f"blocks.{number}.mixer"] = of_block
        return TagOutput(self.head(states), weights)


class Block(nn.Module):
    def __init__(self, attention: Callable[..., BaseAttention], width: int) -> None:
        super().__init__()
        self.mixer = attention(query_dim=width, key_dim=width, value_dim=width)
        self.mixer.role = Role("self", "input", "input")
        self.norm = nn.LayerNorm(width)

    def forward(self, states: Tensor, mask: Tensor, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        mixed, weights = self.mixer(states, states, states, mask, need_weights)
        return self.norm(states + mixed), weights


class TaggingTask(Task):
    """A tag for each position: cross entropy, accuracy, and F1 of the entities' positions."""

    name = "tagging"
    codecs = (TagCodec,)
    trial_sizes: ClassVar = {"input_dim": 3, "num_tags": 2}
    directions: ClassVar = {"loss": "min", "accuracy": "max", "entity_f1": "max"}
    default_monitor = "entity_f1"
    tested = ("whole_right",)
    right_metric = "whole_right"

    def step(self, model: nn.Module, batch: Any, optimizer_step: int = 1) -> StepOutput:
        losses = self._losses(model(batch.inputs, batch.input_lengths).logits, batch.targets, batch.input_lengths)
        return StepOutput(losses.sum(), batch.num_targets)

    def tally(self, model: Any, batches: Iterable[Any], decoding: Any = None, num_samples: int = 0) -> dict[str, Any]:
        sums, focus, first = ExactSums(), FocusMeans(), FirstExamples(num_samples)
        predictions: list[Prediction] = []
        with evaluating(model) as device:
            for batch in (batch.to(device) for batch in batches):
                inputs = Inputs.of(batch, list(range(len(batch))))
                output = model(inputs.inputs, inputs.lengths, need_weights=True)
                sums.add("loss", self._losses(output.logits, batch.targets, inputs.lengths).sum(dim=1))
                for look in looks_of(model, output.weights, {"input": inputs.lengths}):
                    focus.add(look.name, look.place.kind, look.weights, look.num_keys, look.num_queries)
                predictions += self._predictions(inputs, output)
                first.offer(batch)
            samples = [self._answers(model, batch, True, [number])[0] for batch, number in first]
        counts = {"sums": sums.parts, "focus": focus.parts, "predictions": predictions}
        return {**counts, "samples": [sample_of(sample) for sample in samples]}

    def conclude(self, tally: Mapping[str, Any], num_samples: int = 0) -> Evaluation:
        predictions, table = in_order(tally["predictions"]), FocusMeans(tally["focus"]).table()
        pairs = [
            pair for answer in predictions for pair in zip(answer.text.split(), answer.target.split(), strict=True)
        ]
        right = sum(guess == tag for guess, tag in pairs)
        hits = sum(guess == tag == "ENTITY" for guess, tag in pairs)
        marked = sum((guess == "ENTITY") + (tag == "ENTITY") for guess, tag in pairs)
        metrics = {
            "loss": ExactSums(tally["sums"]).total("loss") / len(pairs),
            "accuracy": right / len(pairs),
            "entity_f1": 2 * hits / marked if marked else 0.0,
            "whole_right": sum(self.is_right(each.text, each.target) for each in predictions) / len(predictions),
        }
        samples = in_order(tally["samples"])[:num_samples]
        return Evaluation({**metrics, **table.metrics()}, predictions, tuple(samples), {}, table)

    def predict(
        self, model: Any, batches: Iterable[Any], *, decoding: Any = None, need_weights: bool = False
    ) -> Iterator[Prediction]:
        for batch in batches:
            with evaluating(model) as device:
                answers = self._answers(model, batch.to(device), need_weights)
            yield from answers

    def inspect(self, model: Any, batches: Iterable[Any], *, decoding: Any = None) -> Iterator[Inspected]:
        for answer in self.predict(model, batches, need_weights=True):
            weights, tokens = answer.weights or {}, answer.key_tokens
            maps = (
                attention_map(place, weights[place.name], tokens, tokens) for place in model.places_of(weights).values()
            )
            yield Inspected(answer, tuple(maps))

    def _answers(
        self, model: Any, batch: Any, need_weights: bool, numbers: list[int] | None = None
    ) -> list[Prediction]:
        def answer(inputs: Inputs) -> list[Prediction]:
            return self._predictions(inputs, model(inputs.inputs, inputs.lengths, need_weights=need_weights))

        return answer_all(model, batch, answer, numbers)

    def _predictions(self, inputs: Inputs, output: TagOutput) -> list[Prediction]:
        scores, tags = output.logits.log_softmax(dim=-1).max(dim=-1)
        answers = []
        for number, length in enumerate(inputs.lengths.tolist()):
            tokens = tuple(self.codec.input_tokens(range(length)))
            text = " ".join(TAGS[tag] for tag in tags[number, :length].tolist())
            weights = {name: each[number, :, :length, :length].numpy() for name, each in output.weights.items()}
            row = inputs.rows[number]
            shown = {"key_tokens": tokens, "query_tokens": dict.fromkeys(weights, tokens), "weights": weights}
            score = float(scores[number, :length].sum())
            answers.append(Prediction(inputs.ids[number], text, score, "", row.target, **(shown if weights else {})))
        return answers

    def _losses(self, logits: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """(B, L), 0 at padding."""
        losses = F.cross_entropy(logits.flatten(0, 1), tags.flatten(), reduction="none").view(tags.shape)
        return losses * (torch.arange(tags.shape[1], device=tags.device) < lengths.unsqueeze(1))


class EntityShare(Metric):
    """The share of positions that are tagged as an entity."""

    directions: ClassVar = {"entity_share": "max"}

    def __call__(self, answers: Sequence[Answer]) -> float:
        tags = [tag for answer in answers for tag in answer.text.split()]
        return sum(tag == "ENTITY" for tag in tags) / len(tags)


class Lines(Listener):
    """A line of text for each evaluation."""

    def __init__(self, *, name: str = "lines.txt") -> None:
        self.name = name

    def on_start(self, event: TrainingStarted) -> None:
        self.path = event.run_dir / self.name

    def on_evaluation(self, event: Evaluated) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{event.step} {event.split} {sorted(event.metrics)}\n")
