"""`attnfocus train`: data, model, loop, test. The whole recipe reads on one screen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from attnfocus.commands.assembly import Setup, check_train
from attnfocus.commands.batching import Epochs
from attnfocus.commands.drift import FocusDrift
from attnfocus.commands.pretrained import check_vectors, fill_tables, freeze_tables, vectors_of
from attnfocus.commands.reporting import RunReport
from attnfocus.commands.resume import resumed_values, run_to_resume
from attnfocus.commands.run import CHECKPOINTS, evaluate_split, plan_of, prepare_data
from attnfocus.commands.rundir import (
    DATA_FOLDER,
    check_fingerprints,
    new_run_dir,
    save_config,
    save_fingerprints,
)
from attnfocus.data import Prepared, WordVectors, load_codec
from attnfocus.decoding import DecodingOptions
from attnfocus.events import Listener
from attnfocus.tasks import Evaluation, Task
from attnfocus.tasks.regularizing import require_alignments
from attnfocus.training import CheckpointStore, fit, monitored, seed_everything


def run(values: dict[str, Any], overrides: Sequence[str], listeners: Sequence[Listener] = ()) -> int:
    """Trains from scratch, or goes on with `resume`. `listeners` hear the run besides those that write and show it.

    Returns:
        The exit code.
    """
    resume_dir = run_to_resume(values)
    if resume_dir is not None:
        values = resumed_values(resume_dir, values, overrides)
    setup = check_train(values, values.get("trust", ()))
    seed_everything(setup.config.seed)
    if resume_dir is None:
        check_vectors(setup)
    codec = load_codec(resume_dir / DATA_FOLDER) if resume_dir is not None else None
    prepared = prepare_data(setup, codec)
    require_alignments(setup.config.focus, (example.row for example in prepared.splits["train"]))
    # A run that was killed before its first checkpoint starts anew, with the vectors.
    is_new = resume_dir is None or not (resume_dir / CHECKPOINTS / "last").exists()
    vectors = vectors_of(setup, prepared.codec) if is_new else {}
    if resume_dir is None:
        run_dir = new_run_dir(setup.config.run_dir, setup.config.paths.outputs, setup.name)
        prepared.codec.save(run_dir / DATA_FOLDER)
        save_fingerprints(run_dir, prepared)
    else:
        run_dir = resume_dir
        check_fingerprints(run_dir, prepared)
    save_config(run_dir, values)
    return train(setup, prepared, run_dir, vectors, listeners, is_resumed=resume_dir is not None)


def train(
    setup: Setup,
    prepared: Prepared,
    run_dir: Path,
    vectors: Mapping[str, WordVectors],
    listeners: Sequence[Listener] = (),
    *,
    is_resumed: bool,
) -> int:
    """Trains in `run_dir`, tests the best checkpoint, writes the summary.

    Returns:
        The exit code: 0, or that of the signal that stopped the run.
    """
    config, trainer = setup.config, setup.config.trainer
    task = setup.task(prepared.codec)
    model = setup.model(**prepared.codec.dims()).to(setup.device)
    store = CheckpointStore(run_dir / CHECKPOINTS, keep=trainer.keep_checkpoints)
    newest = store.newest() if is_resumed else None
    if newest is None:  # else the vectors are in the checkpoint
        prepared.report.extend(fill_tables(setup, model, vectors))
    freeze_tables(setup, model)
    plan = plan_of(setup, prepared, "train")
    epochs = Epochs(prepared.splits["train"], plan)
    _, direction = monitored(trainer, task)
    append_from_step = (newest.step if newest else 0) if is_resumed else None
    drift = FocusDrift(run_dir, prepared, config.focus.num_samples)
    with RunReport(run_dir, setup, prepared, model, append_from_step) as report:
        result = fit(
            model,
            task,
            optimizer=setup.optimizer(model.parameters()),
            scheduler=setup.scheduler(trainer.total_steps(len(epochs(0))), direction),
            batches=epochs,
            evaluate=lambda trained: drift.added(validate(setup, task, trained, prepared), task, trained),
            options=trainer,
            store=store,
            device=setup.device,
            seed=config.seed,
            listeners=[drift, *report.listeners, *listeners],
            resume=is_resumed,
        )
        test = None
        if result.status == "completed" and "test" in prepared.splits:
            store.load("best" if result.best else "last").load_model(model)
            test = evaluate_split(setup, task, model, prepared, "test", config.decoding, config.focus.num_samples)
        report.finish(result, test)
    return result.exit_code


def validate(setup: Setup, task: Task, model: nn.Module, prepared: Prepared) -> Evaluation:
    """Metrics during training: on valid, or on train when the set has no valid split. Decoding is greedy, for speed."""
    split = "valid" if "valid" in prepared.splits else "train"
    return evaluate_split(setup, task, model, prepared, split, DecodingOptions(), setup.config.focus.num_samples)
