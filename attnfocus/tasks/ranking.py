"""The next item of a user's history, among all items: recommendation in sequences.

Shapes: N histories, L positions, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attnfocus.attention.role import Axis
from attnfocus.data.batches import Batch
from attnfocus.data.codecs.base import Codec
from attnfocus.data.codecs.history import HistoryCodec
from attnfocus.data.codecs.text import text_of
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import DataError
from attnfocus.events import Direction
from attnfocus.limits import PositiveInt
from attnfocus.models.base import Model
from attnfocus.models.outputs import SequenceOutput
from attnfocus.special import PAD, UNK
from attnfocus.tasks.answers import Evaluation, Prediction
from attnfocus.tasks.base import Loss
from attnfocus.tasks.evaluation import (
    ExactSums,
    FirstExamples,
    Inputs,
    chosen_samples,
    evaluating,
    in_order,
    is_special,
    sample_of,
    slices,
)
from attnfocus.tasks.language_modeling import LanguageModelingTask
from attnfocus.tasks.looks import looks_of, observed
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.measures.ranking import (
    NUM_SAMPLED,
    negatives_of,
    ranking_metrics,
    ranks,
    ranks_among,
    sampled_ranks,
    shared_ranks,
)
from attnfocus.tasks.next_item_losses import WITH_NEGATIVES, binary_cross_entropy, sampled_softmax
from attnfocus.tasks.next_items import NextItems
from attnfocus.tasks.tally import Tally

if TYPE_CHECKING:
    from attnfocus.data.preparation import DatasetOptions
    from attnfocus.data.rows import Row

SAMPLED = "sampled_100/"  # before the names of metrics among 100 negatives
_NAMES = tuple(ranking_metrics([1]))
_SAMPLED_NAMES = tuple(f"{SAMPLED}{name}" for name in ("hit_rate_10", "ndcg_10", "mrr"))


class Asked(NamedTuple):
    """Of some rows what is to be ranked, and among what."""

    answers: Tensor  # (N,)
    seen: Sequence[Sequence[int]]  # items of each history
    left_out: Sequence[Sequence[int]]  # those of them that take no place among all items
    negatives: Tensor  # (N, K) for the sampled protocol, see `negatives_of`


class Places:
    """The places of answers; inf where the answer is no item that train has."""

    def __init__(self) -> None:
        self.of_all, self.of_sampled = list[float](), list[float]()

    def add(self, of_all: Tensor, of_sampled: Tensor, answers: Tensor) -> None:
        """Those of some answers (N,) among all items (N,), and among some (N,)."""
        wanted = answers.tolist()
        for kept, places in ((self.of_all, of_all), (self.of_sampled, of_sampled)):
            kept += [
                math.inf if answer == UNK else place for place, answer in zip(places.tolist(), wanted, strict=True)
            ]


class RankingTask(LanguageModelingTask):
    """Each item of a history from those before it; judged by the place of the one that was held out.

    Args:
        num_negatives: items that are drawn for each position (binary_cross_entropy) or each batch (sampled_softmax).
        options: of `Task`.
    """

    name: ClassVar[str] = "ranking"
    codecs: ClassVar[tuple[type[Codec], ...]] = (HistoryCodec,)
    losses: ClassVar[tuple[Loss, ...]] = ("cross_entropy", "binary_cross_entropy", "sampled_softmax")
    directions: ClassVar[Mapping[str, Direction]] = {
        "loss": "min",
        "hit_rate_1": "max",
        **dict.fromkeys((*_NAMES, *_SAMPLED_NAMES), "max"),
    }
    shares: ClassVar[frozenset[str]] = frozenset({"hit_rate_1", *_NAMES, *_SAMPLED_NAMES})
    default_monitor: ClassVar[str] = "ndcg_10"
    tested: ClassVar[tuple[str, ...]] = ("hit_rate_1",)
    right_metric: ClassVar[str | None] = "hit_rate_1"
    continues: ClassVar[bool] = False

    def __init__(self, codec: Codec | None = None, *, num_negatives: PositiveInt = 1, **options: Any) -> None:
        super().__init__(codec, **options)
        if self.loss in WITH_NEGATIVES and (self.r_drop or self.label_smoothing):
            raise ValueError(f"{self.loss} compares single items: r_drop and label_smoothing have to be 0.")
        self.num_negatives = num_negatives
        self._drawn: dict[
            tuple[str, str], NDArray[np.int32]
        ] = {}  # id and history -> negatives, for the next evaluation

    @property
    def codec(self) -> HistoryCodec:
        assert isinstance(self._codec, HistoryCodec)
        return self._codec

    @property
    def answers(self) -> NextItems:
        return NextItems(self.codec)

    @classmethod
    def option_problems(cls, dataset: DatasetOptions, decoding: DecodingOptions) -> list[str]:
        problems = super().option_problems(dataset, decoding)
        unused = {"sampling": False, "no_repeat_ngram_size": 0}
        for name, usual in unused.items():
            if getattr(decoding, name) != usual:
                line = f"decoding.{name}={str(usual).lower()}"
                problems.append(f"decoding.{name}: is for texts, and items are ranked. Use {line}.")
        return problems

    def monitor_for(self, rows: Sequence[Row]) -> str:
        return self.default_monitor

    def remarks(self, rows: Sequence[Row], monitor: str, decoding: DecodingOptions) -> list[str]:
        """What two rules without a model reach on these rows."""
        asked = [row for row in rows if row.answers]
        if not asked:
            return []
        names = ("hit_rate_10", "ndcg_10", f"{SAMPLED}hit_rate_10")
        return [
            f"without a model, {rule}: {', '.join(f'{name} {found[name]:.3f}' for name in names)}"
            for rule, found in self.baselines(asked, decoding).items()
        ]

    def baselines(self, rows: Sequence[Row], decoding: DecodingOptions) -> dict[str, dict[str, float]]:
        """Metrics of always the most popular items of train, and of the last item again before these.

        The last item is an answer of the second rule, whatever `decoding.exclude_seen` says.
        """
        popularity = torch.from_numpy(self.codec.counts).float()
        popularity[: len(popularity) - len(self.codec.items)] = -torch.inf
        answers = torch.tensor([self.codec.item_ids(row.target)[0] for row in rows])
        asked = self._asked(rows, answers, decoding)
        own, others = popularity[answers], popularity[asked.negatives].masked_fill(asked.negatives < 0, -torch.inf)
        sampled = ranks_among(own, others)
        popular, again = Places(), Places()
        popular.add(shared_ranks(popularity, answers, asked.left_out), sampled, answers)
        last = torch.tensor([items[-1] if items else PAD for items in asked.seen])
        passed = (popularity[last] < own).double() + (popularity[last] == own).double() / 2
        found = shared_ranks(popularity, answers) + passed.where(last != PAD, 0.0)
        is_last = last == answers
        again.add(found.masked_fill(is_last, 1.0), sampled.masked_fill(is_last, 1.0), answers)
        return {
            rule: ranking_metrics(places.of_all) | ranking_metrics(places.of_sampled, SAMPLED)
            for rule, places in (("most popular items", popular), ("last item again", again))
        }

    def loss_sum(self, output: SequenceOutput, targets: Tensor, num_targets: int) -> Tensor:
        if self.loss == "binary_cross_entropy":
            return binary_cross_entropy(output, targets, self.num_negatives)
        if self.loss == "sampled_softmax":
            return sampled_softmax(output, targets, self.num_negatives)
        return super().loss_sum(output, targets, num_targets)

    def tally(
        self, model: Model, batches: Iterable[Batch], decoding: DecodingOptions | None = None, num_samples: int = 0
    ) -> Tally:
        """See `Task.tally`. What is asked is the last item of each row."""
        options = decoding or DecodingOptions()
        sums, focus, first, predictions = ExactSums(), FocusMeans(), FirstExamples(num_samples), list[Prediction]()
        places = Places()
        with evaluating(model) as device:
            for batch in (batch.to(device) for batch in batches):
                for numbers in slices(batch, self.max_pairs):
                    inputs = Inputs.of(batch, numbers)
                    lengths: dict[Axis, Tensor] = {"output": inputs.lengths}
                    with observed(model, lengths) as seen:
                        output = model(inputs.inputs, inputs.lengths, need_weights=True)
                    answers = batch.targets[numbers, inputs.lengths - 1]
                    log_probs = self.answers.log_probs(output, inputs.lengths)
                    sums.add("loss", -log_probs.gather(1, answers.unsqueeze(1)).squeeze(1)[answers != UNK])
                    asked = self._asked(inputs.rows, answers, options)
                    of_sampled = sampled_ranks(log_probs, answers, asked.negatives)
                    places.add(ranks(log_probs, answers, asked.left_out), of_sampled, answers)
                    predictions += self.answers.recommended(inputs, log_probs, options, asked.seen)
                    looks = looks_of(model, output.weights, lengths, seen)
                    focus.add_looks(looks, {"output": is_special(inputs.inputs)})
                first.offer(batch)
            samples = [self.answers.sample(model, batch, number, options) for batch, number in first]
        return {
            "sums": sums.parts,
            "focus": focus.parts,
            "places": {"all": places.of_all, "sampled": places.of_sampled},
            "predictions": predictions,
            "samples": [sample_of(each) for each in samples],
        }

    def _asked(self, rows: Sequence[Row], answers: Tensor, options: DecodingOptions) -> Asked:
        """What ranking these answers (N,) needs to know of their rows."""
        seen = [self.codec.seen(row) for row in rows]
        wanted, items, drawn = answers.tolist(), self.codec.items, []
        for row, own, answer in zip(rows, seen, wanted, strict=True):
            key = row.id, text_of(row)
            if key not in self._drawn:
                self._drawn[key] = negatives_of(row.id, items, [*own, answer], NUM_SAMPLED).astype(np.int32)
            drawn.append(self._drawn[key])
        left_out = [[item for item in own if item != answer] for own, answer in zip(seen, wanted, strict=True)]
        negatives = torch.from_numpy(np.stack(drawn)).to(answers.device, torch.int64)
        return Asked(answers, seen, left_out if options.exclude_seen else [], negatives)

    def conclude(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """See `Task.conclude`. Metrics, all of the last item of a row:

        hit_rate_k, ndcg_k, mrr: by its place among all items (`measures.ranking`); items of the history take no place
            (decoding.exclude_seen). An item that train does not have is missed.
        sampled_100/...: the same among 100 items that the user does not know, drawn by (0, the row's id). They are much
            higher, and cannot be compared with the others.
        loss: mean negative log probability of those items that train has.
        focus/...: of all attentions.
        """
        predictions, samples = in_order(tally["predictions"]), chosen_samples(tally["samples"], num_samples)
        if not predictions:
            raise DataError("there is no example to evaluate on. Give a split that holds rows.")
        sums, places = ExactSums(tally["sums"]), tally["places"]
        of_all = places["all"]
        num_known = sum(map(len, tally["sums"]["loss"]))
        metrics = {"loss": sums.total("loss") / num_known if num_known else math.nan}
        metrics["hit_rate_1"] = sum(place <= 1 for place in of_all) / len(of_all)
        metrics |= ranking_metrics(of_all)
        sampled = ranking_metrics(places["sampled"], SAMPLED)
        metrics |= {name: sampled[name] for name in _SAMPLED_NAMES}
        table = FocusMeans(tally["focus"]).table()
        extras: dict[str, object] = {"unknown_answers": len(of_all) - num_known}
        return Evaluation({**metrics, **table.metrics()}, predictions, samples, extras, table)
