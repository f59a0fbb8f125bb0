"""The options of the training loop: the schema of the configuration's section `trainer`."""

from dataclasses import dataclass
from math import ceil
from typing import Annotated, Literal

from attnfocus.attention.precision import HalfScores
from attnfocus.errors import ConfigError
from attnfocus.limits import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Probability, Range
from attnfocus.marks import Before, Mark
from attnfocus.tasks.base import Loss
from attnfocus.tasks.measures.text import BleuTokenizer
from attnfocus.tasks.next_item_losses import WITH_NEGATIVES

FOCAL_GAMMA = 2.0  # what the paper found best
NUM_NEGATIVES = 1  # as Kang & McAuley 2018 have it


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """What a run may be told about its loop. The comments in `configs/trainer/default.yaml` say the same to the user.

    Raises:
        ConfigError: no limit is set, so that the run would never end; or an option of another loss.
    """

    batch_size: PositiveInt = 64  # per micro-batch, counted in batch_unit
    batch_unit: Literal["sentences", "tokens"] = "sentences"
    packing: bool = False  # several texts in a row of a batch, none of which sees another
    accumulate_steps: PositiveInt = 1  # micro-batches per optimizer step
    max_steps: Annotated[PositiveInt | None, Mark.RESUMABLE] = None
    max_epochs: Annotated[PositiveInt | None, Mark.RESUMABLE] = 10
    max_minutes: Annotated[PositiveFloat | None, Mark.RESUMABLE] = None
    evaluate_every_steps: Annotated[PositiveInt | None, Mark.RESUMABLE] = None  # None: at the end of each epoch
    log_every_steps: Annotated[PositiveInt, Mark.RESUMABLE, Mark.NO_EFFECT] = 50
    scalars: Annotated[Literal["few", "all"], Mark.RESUMABLE, Mark.NO_EFFECT] = "few"  # of TensorBoard
    clip_norm: PositiveFloat | None = 1.0
    # None: the task's own
    loss: Annotated[Loss | None, Before("cross_entropy")] = None
    focal_gamma: NonNegativeFloat = FOCAL_GAMMA  # of Lin et al. 2017, eq. 4; for loss=focal alone
    num_negatives: PositiveInt = NUM_NEGATIVES  # items drawn by binary_cross_entropy and sampled_softmax
    class_weights: Literal["balanced"] | None = None
    label_smoothing: Probability = 0.0
    word_dropout: Probability = 0.0
    r_drop: NonNegativeFloat = 0.0  # alpha of Liang et al. 2021, eq. 4
    monitor: Annotated[str | None, Mark.RESUMABLE] = None  # None: the task's own choice
    bleu_tokenizer: BleuTokenizer | None = None  # None: what suits the script of the targets
    patience: Annotated[PositiveInt | None, Mark.RESUMABLE] = None  # evaluations without a better one
    min_steps: Annotated[NonNegativeInt, Mark.RESUMABLE] = 0  # before which patience ends nothing
    keep_checkpoints: Annotated[PositiveInt, Mark.RESUMABLE, Mark.NO_EFFECT] = 2
    # besides the saves after each evaluation
    save_every_steps: Annotated[PositiveInt | None, Mark.RESUMABLE, Mark.NO_EFFECT] = None
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    # of attention, with bf16 and fp16
    half_scores: Annotated[HalfScores, Before("rounded"), Mark.RESUMABLE, Mark.NO_EFFECT] = "float32"
    compile: bool = False
    deterministic: bool = False
    ema_decay: Annotated[float, Range(gt=0, lt=1)] | None = None
    num_workers: Annotated[int, Range(ge=0, le=1024, why="each is a process of this machine"), Mark.NO_EFFECT] = 0
    worker_timeout_seconds: Annotated[PositiveFloat, Mark.NO_EFFECT] = 120.0
    on_non_finite: Literal["stop", "skip", "rollback"] = "stop"
    on_spike: Literal["ignore", "warn", "rollback"] = "warn"
    spike_score: PositiveFloat = 20.0  # robust z-score of the loss
    max_recoveries: PositiveInt = 3  # skips and rollbacks before the run stops
    split_on_oom: bool = False

    def __post_init__(self) -> None:
        if self.max_steps is None and self.max_epochs is None and self.max_minutes is None:
            raise ConfigError(
                "trainer.max_steps, trainer.max_epochs, trainer.max_minutes: all null, so training would never end. "
                "Set at least one."
            )
        if self.focal_gamma != FOCAL_GAMMA and self.loss != "focal":
            raise ConfigError(
                f"trainer.focal_gamma: is of the focal loss, and trainer.loss is {self.loss}. Add trainer.loss=focal."
            )
        if self.num_negatives != NUM_NEGATIVES and self.loss not in WITH_NEGATIVES:
            raise ConfigError(
                f"trainer.num_negatives: is of losses that draw items, and trainer.loss is {self.loss}. Add "
                "trainer.loss=sampled_softmax, or trainer.loss=binary_cross_entropy."
            )

    def steps_per_epoch(self, num_batches: int) -> int:
        """Optimizer steps in an epoch of `num_batches` micro-batches; the last step of an epoch may take fewer."""
        return ceil(num_batches / self.accumulate_steps)

    def total_steps(self, num_batches: int) -> int | None:
        """Optimizer steps until the first of max_steps and max_epochs; None when minutes alone end the run."""
        totals = []
        if self.max_steps is not None:
            totals.append(self.max_steps)
        if self.max_epochs is not None:
            totals.append(self.max_epochs * self.steps_per_epoch(num_batches))
        return min(totals, default=None)
