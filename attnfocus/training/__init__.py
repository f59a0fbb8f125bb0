"""The training loop, its optimizers and schedules, and checkpoints that a run can go on from, bit for bit."""

from attnfocus.training.checkpoints.checkpoint import Checkpoint, open_checkpoint
from attnfocus.training.checkpoints.store import CheckpointStore
from attnfocus.training.device import Precision, resolve_device
from attnfocus.training.loop import fit
from attnfocus.training.optimizers import adagrad, adam, adamw, rmsprop, sgd
from attnfocus.training.options import TrainerOptions
from attnfocus.training.protocols import TrainBatch, TrainingResult, monitored
from attnfocus.training.schedulers import (
    ConstantSchedule,
    CosineSchedule,
    InverseSqrtSchedule,
    PlateauSchedule,
    Schedule,
)
from attnfocus.training.seeds import seed_everything, seed_step

__all__ = [
    "Checkpoint",
    "CheckpointStore",
    "ConstantSchedule",
    "CosineSchedule",
    "InverseSqrtSchedule",
    "PlateauSchedule",
    "Precision",
    "Schedule",
    "TrainBatch",
    "TrainerOptions",
    "TrainingResult",
    "adagrad",
    "adam",
    "adamw",
    "fit",
    "monitored",
    "open_checkpoint",
    "resolve_device",
    "rmsprop",
    "seed_everything",
    "seed_step",
    "sgd",
]
