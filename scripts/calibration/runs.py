"""Tiny runs: their data, their models, their training, and the one file that each is kept in.

Shapes: B rows, L positions, T outputs with BOS and EOS, K input positions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import AdditiveScore, Attention, Entmax15, ScaledDotScore
from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions
from attnfocus.explanation.reading import read
from attnfocus.models import (
    PoolingClassifier,
    RNNClassifier,
    Seq2Seq,
    TransformerClassifier,
    TransformerLanguageModel,
    TransformerSeq2Seq,
)
from attnfocus.models.base import Model
from attnfocus.models.lengths import length_mask
from attnfocus.regular_files import read_file, replace_file
from attnfocus.special import PAD
from attnfocus.tasks import ClassificationTask, LanguageModelingTask, TranslationTask
from attnfocus.tasks.base import Task
from attnfocus.training.checkpoints.tensors import load_model_tensors, model_tensors
from calibration.decoys import TURNED, FirstScore, FixedScore, ParallelMean, RandomScore, TurnedScore, guided_to, turn
from calibration.planted import PlantedRow, PlantedTask
from calibration.specs import TASKS, ModelName, Spec

NUM_TRAIN, NUM_TEST, BATCH = 4000, 512, 64
CHECK_EVERY = 25  # steps; the mean loss of so many decides whether training is over
ENOUGH, ENOUGH_GUIDED = 0.05, 0.2  # such a loss, and such a term of guidance
GUIDE = 0.5  # weight of the term that draws attention somewhere
MAX_BYTES = 2**24  # of a run's file


@dataclass(frozen=True)
class TinyRun:
    """A trained model with what belongs to it.

    Attributes:
        rows, examples: of the test split, the same ones as people and as the model see them.
        facts: accuracy on the test split, steps, seconds (CPU).
    """

    spec: Spec
    planted: PlantedTask
    task: Task
    model: Model
    rows: Sequence[PlantedRow]
    examples: Sequence[Encoded]
    facts: dict[str, float]


def run_of(spec: Spec, folder: Path, *, max_steps: int = 300) -> TinyRun:
    """The run of a spec: read from its file in the folder, or trained and written there."""
    torch.manual_seed(spec.seed)
    planted = TASKS[spec.task]()
    task = task_of(planted, spec.model)
    model = model_of(spec, task)
    path, rows = folder / f"{spec.name}.safetensors", rows_of(planted, NUM_TEST, [spec.seed, 1])
    examples = list(task.codec.encode_rows(as_rows(rows, spec.model)))
    if path.is_file():
        facts = _load(model, path, spec)
    else:
        began = time.process_time()
        steps = _train(spec, planted, task, model, max_steps)
        facts = {"steps": steps, "seconds": time.process_time() - began, "accuracy": accuracy(model, examples)}
        tensors = safetensors.torch.save(model_tensors(model), {"facts": json.dumps(facts), "spec": spec.name})
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, tensors)
    return TinyRun(spec, planted, task, model.eval(), rows, examples, facts)


def _load(model: Model, path: Path, spec: Spec) -> dict[str, float]:
    content = read_file(path, MAX_BYTES)
    if spec.decoy in TURNED:
        turn(model, spec.decoy)
    load_model_tensors(model, safetensors.torch.load(content))
    size = int.from_bytes(content[:8], "little")
    facts: dict[str, float] = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["facts"])
    return facts


def rows_of(planted: PlantedTask, count: int, seed: Sequence[int]) -> list[PlantedRow]:
    """Rows that the seed alone decides."""
    random = np.random.default_rng(seed)
    return [planted.row(random) for _ in range(count)]


def as_rows(rows: Sequence[PlantedRow], model: ModelName) -> list[Row]:
    """As the model reads them: a language model finds the answer behind the words."""
    found = []
    for number, row in enumerate(rows):
        words, answer = " ".join(row.words), " ".join(row.outputs)
        if model == "language_model":
            start = len(words) + 1
            found.append(Row(f"row-{number}", f"{words} {answer}", answer, answers=((start, start + len(answer)),)))
        else:
            found.append(Row(f"row-{number}", words, answer))
    return found


def task_of(planted: PlantedTask, model: ModelName) -> Task:
    """The task with a codec that knows all words."""
    options = TokenizerOptions(kind="whitespace")
    if model == "language_model":
        every = dict.fromkeys((*planted.vocabulary, *planted.answers))
        return LanguageModelingTask(SequenceCodec(Tokenizer.train([" ".join(every)], options)))
    source = Tokenizer.train([" ".join(planted.vocabulary)], options)
    if planted.writes:
        return TranslationTask(TextPairCodec(source, Tokenizer.train([" ".join(planted.answers)], options)))
    return ClassificationTask(TextLabelCodec(source, planted.answers))


def model_of(spec: Spec, task: Task) -> Model:
    """The model of a spec, with new weights."""
    attention, dims = _attention(spec), task.codec.dims()
    small: dict[str, Any] = {"embed_dim": 16, "dropout": 0.0, **dims}
    wide: dict[str, Any] = {"embed_dim": 32, "feedforward_dim": 32, "num_heads": 2, "dropout": 0.0, **dims}
    layer = partial(Attention, score=ScaledDotScore)
    makers: dict[ModelName, Any] = {
        "pooling": partial(PoolingClassifier, **small),
        "parallel_mean": partial(ParallelMean, **small),
        "rnn": partial(RNNClassifier, hidden_size=16, **small),
        "transformer": partial(TransformerClassifier, pooling="attention", layer_attentions=[layer], **wide),
        "transformer_cls": partial(TransformerClassifier, pooling="cls", num_layers=2, **wide),
        "seq2seq": partial(Seq2Seq, hidden_size=32, **{**small, "embed_dim": 32}),
        "transformer_seq2seq": partial(
            TransformerSeq2Seq, num_encoder_layers=1, num_decoder_layers=1, **{**wide, "tied_embeddings": "none"}
        ),
        "language_model": partial(TransformerLanguageModel, layer_attentions=[layer, attention], **wide),
    }
    if spec.model in ("pooling", "parallel_mean") and spec.task == "position":
        makers[spec.model] = partial(makers[spec.model], position="learned")
    model: Model = makers[spec.model](attention=attention)
    return model


def _attention(spec: Spec) -> Any:
    by_decoy: dict[str, Any] = {
        "constant": FirstScore,
        "uniform": FixedScore,
        "random": RandomScore,
        "inverted": TurnedScore,
        "shifted": TurnedScore,
    }
    if spec.decoy in by_decoy:
        return partial(Attention, score=by_decoy[spec.decoy])
    if spec.preset == "multi_head":
        return partial(Attention, score=ScaledDotScore, num_heads=2, projections=True)
    if spec.preset == "entmax15":
        return partial(Attention, score=AdditiveScore, normalizer=Entmax15)
    return partial(Attention, score=AdditiveScore if spec.preset == "additive" else ScaledDotScore)


def _train(spec: Spec, planted: PlantedTask, task: Task, model: Model, max_steps: int) -> int:
    """Steps of Adam until the loss is small. Of a turned score a first half is trained as it is."""
    rows = rows_of(planted, NUM_TRAIN, [spec.seed, 0])
    data = _Data(rows, task, spec)
    if spec.decoy not in TURNED:
        return _steps(model, data, spec, max_steps)
    steps = _steps(model, data, spec, max_steps)
    turn(model, spec.decoy)
    return steps + _steps(model, data, spec, max_steps)


class _Data:
    """All training rows as tensors, with the positions that attention is drawn to (B, T, L)."""

    def __init__(self, rows: Sequence[PlantedRow], task: Task, spec: Spec) -> None:
        batch = collate(list(task.codec.encode_rows(as_rows(rows, spec.model))))
        self.inputs, self.lengths, self.targets = batch.inputs, batch.input_lengths, batch.targets
        self.spec = spec
        self.guides: Tensor | None = None
        if spec.decoy.startswith("guided"):
            most = max(len(row.outputs) for row in rows)
            self.guides = torch.zeros(len(rows), most, self.inputs.shape[1], dtype=torch.bool)
            for number, row in enumerate(rows):
                for output, places in enumerate(guided_to(spec.decoy, row)):
                    self.guides[number, output, [spec.first + place for place in places]] = True

    def loss(self, model: Model, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Of some rows the mean cross entropy, and how far weights are from where they are drawn to."""
        lengths = self.lengths[rows]
        inputs, targets = self.inputs[rows, : int(lengths.max())], self.targets[rows]
        asked, read_off = self.guides is not None, None
        if self.spec.model == "language_model":
            read_off = lengths[:, None] - 2  # the last of the words, behind which the answer stands
            output = model(inputs, lengths, need_weights=asked)
            loss = F.cross_entropy(output.logits.transpose(1, 2), targets[:, : inputs.shape[1]], ignore_index=PAD)
        elif targets.dim() == 1:
            output = model(inputs, lengths, need_weights=asked)
            loss = F.cross_entropy(output.logits, targets)
        else:
            output = model(inputs, lengths, targets[:, :-1], need_weights=asked)
            loss = F.cross_entropy(output.logits.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=PAD)
        if self.guides is None:
            return loss, torch.zeros(())
        weights = read(output.weights, model, length_mask(lengths, inputs.shape[1]), None, None, read_off)  # (B, T, L)
        guides = self.guides[rows, : weights.shape[1], : weights.shape[2]]
        inside = (weights[:, : guides.shape[1]] * guides).sum(dim=-1)[guides.any(dim=-1)]
        return loss, -inside.clamp_min(1e-6).log().mean()


def _steps(model: Model, data: _Data, spec: Spec, max_steps: int) -> int:
    generator = torch.Generator().manual_seed(spec.seed)
    lr = 0.005 if spec.model.startswith("transformer") else 0.01
    parameters = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=lr)
    model.train()
    recent: list[tuple[float, float]] = []
    for step in range(1, max_steps + 1):
        rows = torch.randint(len(data.inputs), (BATCH,), generator=generator)
        loss, missed = data.loss(model, rows)
        optimizer.zero_grad()
        (loss + GUIDE * missed).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        recent.append((float(loss.detach()), float(missed.detach())))
        if step % CHECK_EVERY == 0:
            losses, misses = np.mean(recent[-CHECK_EVERY:], axis=0).tolist()
            if losses < ENOUGH and misses < ENOUGH_GUIDED:
                return step
    return max_steps


def accuracy(model: Model, examples: Sequence[Encoded]) -> float:
    """Share of classes, or of written words given those before, that are right."""
    batch = collate(examples)
    model.eval()
    with torch.no_grad():
        if batch.targets.dim() == 1:
            right = model(batch.inputs, batch.input_lengths).logits.argmax(dim=-1) == batch.targets
            return float(right.float().mean())
        if isinstance(model, TransformerLanguageModel):
            found, expected = model(batch.inputs, batch.input_lengths).logits.argmax(dim=-1), batch.targets
            return float((found == expected)[expected != PAD].float().mean())
        found = model(batch.inputs, batch.input_lengths, batch.targets[:, :-1]).logits.argmax(dim=-1)
    real = batch.targets[:, 1:] != PAD
    return float((found == batch.targets[:, 1:])[real].float().mean())


def facts_of(spec: Spec) -> dict[str, Any]:
    """For JSON."""
    return {**asdict(spec), "is_fit": spec.is_fit, "group": spec.group}
