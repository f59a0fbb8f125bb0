"""A number for each input.

Shapes: B examples, L input positions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Codec
from attnfocus.data.codecs.number import NumberCodec, parsed
from attnfocus.data.codecs.text_number import TextNumberCodec
from attnfocus.errors import ConfigError, DataError
from attnfocus.events import Direction, Sample
from attnfocus.models.base import Model
from attnfocus.tasks.answers import Evaluation, Prediction
from attnfocus.tasks.base import Loss
from attnfocus.tasks.evaluation import (
    ExactSums,
    Inputs,
    at_least_float32,
    chosen_samples,
    in_order,
    sample_of,
    source_text,
)
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.measures.numbers import errors_of, number_metrics
from attnfocus.tasks.measures.plausibility import DIRECTIONS as PLAUSIBILITY_DIRECTIONS
from attnfocus.tasks.measures.plausibility import Plausibility
from attnfocus.tasks.number_probe import NumberProbe
from attnfocus.tasks.one_answer import OneAnswerTask
from attnfocus.tasks.tally import Tally

if TYPE_CHECKING:
    from attnfocus.data.codecs.base import Encoded
    from attnfocus.data.rows import Row
    from attnfocus.decoding import DecodingOptions
    from attnfocus.tasks.probe import Probe

DIGITS = 7  # of a number that is answered: those of float32


class RegressionTask(OneAnswerTask):
    """Squared or absolute error of one number, of which the model sees (target - mean) / deviation of train.

    The losses, in these units: `mse`: (output - target)^2; `mae`: |output - target|.

    Args:
        codec, loss, ...: as in `Task`.
    """

    name: ClassVar[str] = "regression"
    source_tasks: ClassVar[tuple[str, ...]] = ("classification",)
    codecs: ClassVar[tuple[type[Codec], ...]] = (TextNumberCodec,)
    trial_sizes: ClassVar[Mapping[str, int | None]] = {"vocab_size": 8, "input_dim": None, "num_classes": 1}
    losses: ClassVar[tuple[Loss, ...]] = ("mse", "mae")
    has_probabilities: ClassVar[bool] = False
    directions: ClassVar[Mapping[str, Direction]] = {
        "loss": "min",
        "mse": "min",
        "mae": "min",
        "r2": "max",
        **PLAUSIBILITY_DIRECTIONS,
    }
    default_monitor: ClassVar[str] = "mse"
    tested: ClassVar[tuple[str, ...]] = ("mse", "mae")

    def __init__(self, codec: Codec | None = None, **options: Any) -> None:
        super().__init__(codec, **options)
        if self.r_drop:
            raise ValueError("r_drop compares probabilities, which a number has not. Use trainer.r_drop=0.")
        if self.label_smoothing:
            raise ValueError("label_smoothing is for classes, and a number has none. Use trainer.label_smoothing=0.")

    @property
    def codec(self) -> NumberCodec:
        assert isinstance(self._codec, NumberCodec)
        return self._codec

    @classmethod
    def paired_errors(cls, predictions: Sequence[str], targets: Sequence[str]) -> dict[str, list[float]]:
        return errors_of([float(text) for text in predictions], [float(text) for text in targets])

    def remarks(self, rows: Sequence[Row], monitor: str, decoding: DecodingOptions) -> list[str]:
        found = self._of_mean([row.target for row in rows])
        figures = ", ".join(f"{name} {found[name]:,.4g}" for name in ("mse", "mae"))
        return [f"without a model, always {found['number']:,.4g}, the mean of train: {figures}"]

    def _of_mean(self, targets: Sequence[str]) -> dict[str, float]:
        """What always answering the mean of train is worth."""
        mean = self.codec.scale.mean
        numbers = [value for text in targets if (value := parsed(text)) is not None]
        metrics = number_metrics([mean] * len(numbers), numbers)
        return {"number": mean, "mse": metrics["mse"], "mae": metrics["mae"]}

    def conclude(self, tally: Tally, num_samples: int = 0) -> Evaluation:
        """See `Task.conclude`. An empty input is answered too: every row counts. Metrics:

        loss: mean over the examples of what training minimizes, in deviations of train.
        mse, mae: mean squared and absolute error, in the targets' own unit.
        r2: 1 - mse / variance of these targets; not there where they are all the same.
        plausibility/..., focus/...: as in classification.
        `extras`: mean_baseline, the mean of train, and the mse and mae of always answering it.
        """
        predictions, samples = in_order(tally["predictions"]), chosen_samples(tally["samples"], num_samples)
        if not predictions:
            raise DataError("there is no example to evaluate on. Give a split that holds rows.")
        metrics = {"loss": ExactSums(tally["sums"]).total("loss") / len(predictions)}
        metrics |= number_metrics(
            [float(each.text) for each in predictions], [float(each.target) for each in predictions]
        )
        table = FocusMeans(tally["focus"]).table()
        metrics |= Plausibility(self.codec, tally["rationales"]).metrics() | table.metrics()
        extras: dict[str, object] = {"mean_baseline": self._of_mean([each.target for each in predictions])}
        return Evaluation(metrics, predictions, samples, extras, table)

    def answers_to_read(self, predictions: Sequence[Prediction], num_answers: int) -> tuple[Sample, ...]:
        """The largest errors first; none is right or wrong."""
        answered = [each for each in predictions if each.skipped is None and each.target]
        ordered = sorted(answered, key=lambda each: -abs(float(each.text) - float(each.target)))
        return tuple(replace(sample_of(each), is_right=None) for each in ordered[:num_answers])

    def probe(
        self,
        model: Model,
        examples: Sequence[Encoded],
        device: torch.device,
        target: str | None = None,
        decoding: DecodingOptions | None = None,
        *,
        skip_empty: bool = False,
    ) -> Probe:
        if target is not None:
            raise ConfigError(f"target: a number is explained as it is, got {target}. Leave target out.")
        batch = collate(examples).to(device)
        return NumberProbe(model, batch.inputs, batch.input_lengths, self._texts)

    def _texts(self, outputs: Tensor) -> list[str]:
        """Numbers (B,) as the model gives them, in the targets' own unit."""
        mean, deviation = self.codec.scale
        return [f"{value * deviation + mean:.{DIGITS}g}" for value in outputs.double().tolist()]

    def _predictions(
        self, inputs: Inputs, logits: Tensor, shown: list[dict[str, Any]] | None = None, max_classes: int | None = None
    ) -> list[Prediction]:
        facts = zip(self._texts(self._answered(logits)), inputs.unknown_shares(), strict=True)
        return [
            Prediction(
                inputs.ids[place],
                text,
                math.nan,
                source_text(inputs.rows[place]),
                inputs.rows[place].target,
                unknown=unknown,
                is_number=True,
                **({} if shown is None else shown[place]),
            )
            for place, (text, unknown) in enumerate(facts)
        ]

    def _training_losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self._losses(logits, targets)

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        errors = self._answered(logits) - targets
        return errors.abs() if self.loss == "mae" else errors.square()

    def _answered(self, logits: Tensor) -> Tensor:
        return at_least_float32(logits).squeeze(-1)
