"""The data of a run, and its evaluations: which model answers, on which split, with which decoding."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from torch import nn

from attnfocus.data.batches import BatchPlan
from attnfocus.data.cache.prepared import cached
from attnfocus.data.codecs.base import Codec
from attnfocus.data.epochs import Batches
from attnfocus.data.preparation import Prepared, prepare
from attnfocus.data.reading.data_files import MissingFileError
from attnfocus.data.window_plan import WindowPlan
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import DataError
from attnfocus.events import Sample
from attnfocus.grid import Picture
from attnfocus.models.base import Model
from attnfocus.runs.assembly import Setup, cache_of
from attnfocus.stages import counted
from attnfocus.tasks import Candidate, Evaluation, Prediction, Task
from attnfocus.tasks.tally import add_up, pack, unpack
from attnfocus.training.checkpoints.tensors import load_model_tensors, model_tensors
from attnfocus.training.distributed.processes import Processes

TALLIED = (Prediction, Candidate, Sample, Picture)  # what tallies hold besides numbers


def prepare_data(setup: Setup, codec: Codec | None = None, wanted: Sequence[str] | None = None) -> Prepared:
    """The run's data, read and encoded anew.

    Args:
        codec: of a run that was saved before; None: of a new one, which learns it.

    Raises:
        DataError: they cannot be read.
    """
    options = {} if wanted is None else {"wanted": wanted}
    known = setup.codecs if codec is None else codec
    try:
        source, seed = setup.source, setup.config.seed

        def make() -> Prepared:
            return prepare(source, setup.data_options, setup.data_dir, seed, known, **options)

        if codec is not None or wanted is not None:  # the tokens of a run come from its own folder
            return make()
        return cached(cache_of(setup.config.paths), source, setup.data_options, seed, setup.codecs.classes, make)
    except MissingFileError as error:
        if codec is None:
            raise
        raise DataError(
            f"{error.problem}\nIt was there when the run was trained. If it has moved: {error.key}=NEW_PATH (its rows "
            "are compared with those of then).\nTo test on other data: attnfocus evaluate run=... dataset.test=FILE."
        ) from error
    except FileNotFoundError as error:  # of a source of the user's own
        named = [key for key, value in setup.config.dataset.component.items() if value and value == str(error.filename)]
        if codec is None or not named:
            raise
        raise DataError(
            f"dataset.{named[0]}={error.filename}: does not exist.\nIt was there when the run was trained. If it has "
            f"moved, write its new place into the run's config.yaml, as dataset.{named[0]}."
        ) from error


def plan_of(setup: Setup, prepared: Prepared, split: str) -> BatchPlan | WindowPlan:
    examples, trainer = prepared.splits[split], setup.config.trainer
    options = trainer.batch_size, trainer.batch_unit, setup.config.seed
    if examples.alike is not None:
        return WindowPlan(len(examples), examples.alike, *options)
    return BatchPlan(examples.lengths, *options)


def evaluate_split(
    setup: Setup,
    task: Task,
    model: Model,
    prepared: Prepared,
    split: str,
    decoding: DecodingOptions,
    num_samples: int = 0,
    processes: Processes | None = None,
) -> Evaluation:
    """Metrics of one split, and its first examples as samples.

    Of several processes each answers every so manieth batch; the first puts together what is one evaluation to the
    bit, of which the others learn the metrics.
    """
    processes = processes or Processes()
    groups = plan_of(setup, prepared, split).fixed()[processes.rank :: processes.size]
    batches = counted(Batches(prepared.splits[split], groups), split, len(groups))
    on_device = (batch.to(setup.device) for batch in batches)
    tally = task.tally(model, on_device, decoding, num_samples)
    if processes.size == 1:
        return task.evaluation_of(tally, num_samples)
    evaluation = Evaluation({}, [])
    parts = processes.gathered(lambda: pack(tally, TALLIED))
    if parts is not None:
        evaluation = task.evaluation_of(add_up([unpack(part, TALLIED) for part in parts]), num_samples)
    metrics = json.loads(processes.shared(lambda: json.dumps(evaluation.metrics)))
    return replace(evaluation, metrics=metrics)


def whole_model(setup: Setup, prepared: Prepared, trained: nn.Module, processes: Processes) -> Model:
    """The model itself, or a whole copy where processes hold parts of it: decoding asks for more than whole passes."""
    if not processes.holds_part:
        return cast(Model, trained)  # or what compiles or shares one, which has all of its attributes
    model = setup.new_model(prepared.codec)
    load_model_tensors(model, model_tensors(trained))
    return model.to(setup.device)


def validated(prepared: Prepared) -> str:
    """The split that is evaluated during training: valid, or train when the set has no valid split."""
    return "valid" if "valid" in prepared.splits else "train"


def validate(
    setup: Setup, task: Task, model: Model, prepared: Prepared, processes: Processes | None = None
) -> Evaluation:
    """Metrics during training. Decoding is greedy, for speed."""
    split = validated(prepared)
    num_samples = setup.config.focus.num_samples
    greedy = DecodingOptions(at_limit=setup.config.decoding.at_limit)
    return evaluate_split(setup, task, model, prepared, split, greedy, num_samples, processes)


def test_of(setup: Setup, task: Task, model: Model, prepared: Prepared, processes: Processes) -> Evaluation:
    """Metrics of the test split, with the run's own decoding."""
    num_samples, decoding = setup.config.focus.num_samples, setup.config.decoding
    return evaluate_split(setup, task, model, prepared, "test", decoding, num_samples, processes)
