"""The evaluations of a training run: which model answers, on which split, with which decoding."""

from typing import cast

from torch import nn

from attnfocus.data.preparation import Prepared
from attnfocus.decoding import DecodingOptions
from attnfocus.models.base import Model
from attnfocus.runs.assembly import Setup
from attnfocus.runs.run import evaluate_split
from attnfocus.tasks import Evaluation, Task
from attnfocus.training.checkpoints.tensors import load_model_tensors, model_tensors
from attnfocus.training.distributed.processes import Processes


def whole_model(setup: Setup, prepared: Prepared, trained: nn.Module, processes: Processes) -> Model:
    """The model itself, or a whole copy where processes hold parts of it: decoding asks for more than whole passes."""
    if not processes.holds_part:
        return cast(Model, trained)  # or what compiles or shares one, which has all of its attributes
    model = setup.model(**prepared.codec.dims())
    load_model_tensors(model, model_tensors(trained))
    return model.to(setup.device)


def validate(
    setup: Setup, task: Task, model: Model, prepared: Prepared, processes: Processes | None = None
) -> Evaluation:
    """Metrics during training: on valid, or on train when the set has no valid split. Decoding is greedy, for speed."""
    split = "valid" if "valid" in prepared.splits else "train"
    num_samples = setup.config.focus.num_samples
    return evaluate_split(setup, task, model, prepared, split, DecodingOptions(), num_samples, processes)


def test_of(setup: Setup, task: Task, model: Model, prepared: Prepared, processes: Processes) -> Evaluation:
    """Metrics of the test split, with the run's own decoding."""
    num_samples, decoding = setup.config.focus.num_samples, setup.config.decoding
    return evaluate_split(setup, task, model, prepared, "test", decoding, num_samples, processes)
