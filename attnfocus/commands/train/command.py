"""`attnfocus train`: data, model, loop, test. The whole recipe reads on one screen."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from attnfocus.commands.train.end_page import is_wanted, write_page
from attnfocus.commands.train.evaluation_time import EvaluationTime
from attnfocus.commands.train.launch import launch
from attnfocus.commands.train.linear_baseline import check_baseline, require_texts
from attnfocus.commands.train.processes import RUN, check_processes, require_own_device, require_same_data, run_of_job
from attnfocus.commands.train.run_report import RunReport, announce
from attnfocus.commands.train.trackers import trackers_of
from attnfocus.commands.train.word_vectors import check_vectors, fill_tables, freeze_tables, vectors_of
from attnfocus.data.codecs.base import load_codec
from attnfocus.data.epochs import Epochs, Share
from attnfocus.data.packed_plan import PackedPlan
from attnfocus.data.preparation import Prepared
from attnfocus.data.vectors import WordVectors
from attnfocus.errors import ConfigError, DataError
from attnfocus.events import Listener
from attnfocus.explanation.head_table import NUM_NAMED, HeadTable, name_heads
from attnfocus.files import writing
from attnfocus.inspection.examples import Trained
from attnfocus.layout import CHECKPOINTS, DATA_FOLDER, METRICS_FILE
from attnfocus.models import Model
from attnfocus.regular_files import make_folder
from attnfocus.runs.claim import AUTO, new_run_dir, require_free, training
from attnfocus.runs.config import RunConfig
from attnfocus.runs.contents import require_own, require_run
from attnfocus.runs.evaluation import prepare_data, test_of, validate, validated, whole_model
from attnfocus.runs.folder import check_fingerprints, made_by, save_fingerprints
from attnfocus.runs.resume import resumed, run_to_resume
from attnfocus.runs.token_tables import require_ngrams
from attnfocus.runs.training_plan import training_plan_of
from attnfocus.tasks import Evaluation, Task
from attnfocus.tasks.regularizers import require_alignments
from attnfocus.tracking.focus_drift import FocusDrift
from attnfocus.tracking.metrics_file import require_metrics
from attnfocus.training import CheckpointStore, Precision, fit, monitored, seed_everything
from attnfocus.training.distributed.join import joined, was_launched
from attnfocus.training.distributed.processes import Processes


def run(values: dict[str, Any], overrides: Sequence[str], listeners: Sequence[Listener] = ()) -> int:
    """Trains from scratch, or goes on with `resume`; in several processes if they are asked for.

    Args:
        listeners: hear the run besides those that write and show it; in one process alone.

    Returns:
        The exit code.
    """
    config = RunConfig(values, values.get("trust", ()))
    if not was_launched() and not values["distributed"]["strategy"]:
        return run_here(config, overrides, Processes(), listeners)
    if was_launched():
        require_own_device(values["device"])
    setup = config.setup
    if listeners:
        raise ConfigError(
            "distributed: trials of a search, and attnfocus.train in Python, run in one process. Use distributed=none, "
            "or the command `attnfocus train`."
        )
    if not was_launched():
        return launch(config, overrides)
    check_processes(setup)
    with joined(setup.config.distributed, setup.device) as processes:
        return run_here(config, overrides, processes)


def run_here(
    config: RunConfig, overrides: Sequence[str], processes: Processes, listeners: Sequence[Listener] = ()
) -> int:
    """This process's part of the run. The first decides where it is written, and locks that."""
    with ExitStack() as held:
        return _run_here(config, overrides, processes, listeners, held)


def _run_here(
    config: RunConfig, overrides: Sequence[str], processes: Processes, listeners: Sequence[Listener], held: ExitStack
) -> int:
    is_restarted = config.values.get("resume") == AUTO  # the same command may have been started before
    resume_dir, config = _to_resume(config, overrides, processes, held)
    setup = config.setup
    if was_launched():
        check_processes(setup)  # of a run that goes on, too
    if setup.config.trainer.precision != "float32":
        Precision(setup.config.trainer.precision, setup.device).require(setup.trial_model())
    if processes.is_first:
        announce(setup)
    check_baseline(setup)
    trackers = trackers_of(setup, overrides) if processes.is_first else {}
    seed_everything(setup.config.seed, deterministic=setup.config.trainer.deterministic)
    if resume_dir is None:
        check_vectors(setup)
    # What was killed before its first checkpoint starts anew, with the vectors; a job also with what its data give.
    is_new = resume_dir is None or CheckpointStore(resume_dir / CHECKPOINTS).is_empty
    is_learned = resume_dir is not None and not (is_new and is_restarted)
    codec = load_codec(resume_dir / DATA_FOLDER, setup.codecs.classes) if resume_dir and is_learned else None
    prepared = prepare_data(setup, codec)
    require_texts(setup, prepared)
    require_ngrams(setup.embedding, setup.trial_model().token_tables(), prepared.codec.tokenizers())
    require_same_data(prepared, processes)
    require_alignments(setup.config.focus, prepared.splits["train"].rows)
    vectors = vectors_of(setup, prepared.codec) if is_new else {}

    def begin() -> str:
        given = setup.config.run_dir
        folder = resume_dir or new_run_dir(given, setup.config.paths.outputs, setup.name, is_restarted=is_restarted)
        if resume_dir is None:
            held.enter_context(training("run_dir", folder))
            require_free(folder, is_restarted=is_restarted, is_locked=True)  # now that nobody else can begin there
            require_own(folder)
        if is_learned:
            check_fingerprints(folder, prepared)
        with writing("resume" if resume_dir else "run_dir" if given else "paths.outputs", folder):
            if not is_learned:
                make_folder(folder / DATA_FOLDER)
                prepared.codec.save(folder / DATA_FOLDER)
                save_fingerprints(folder, prepared)
            config.save(folder)
        processes.note(RUN, str(folder))
        return str(folder)

    run_dir = Path(processes.shared(begin))
    is_resumed = resume_dir is not None
    origin = made_by("train", overrides, config.values.get("config_dir"))
    return train(config, prepared, run_dir, vectors, processes, trackers, listeners, origin, is_resumed=is_resumed)


def _to_resume(
    config: RunConfig, overrides: Sequence[str], processes: Processes, held: ExitStack
) -> tuple[Path | None, RunConfig]:
    """The run to go on with, if any, which the first process locks; and the configuration to train with."""

    def to_restart() -> str:
        noted = run_of_job(processes)
        if noted is not None:
            held.enter_context(training("resume", noted))
        return str(noted or "")

    def to_continue() -> str:
        named = run_to_resume(config, overrides)
        if named is not None:
            require_run("resume", named)
            held.enter_context(training("resume", named))
        elif config.values.get("run_dir"):  # before the data are read, which may take long
            given = Path(config.values["run_dir"]).expanduser().resolve()
            require_free(given, is_restarted=config.values.get("resume") == AUTO)
        return str(named or "")

    restarted = processes.shared(to_restart)
    if restarted:  # all processes were started anew, with the command of the first time
        return Path(restarted), resumed(Path(restarted), config.changed(resume=AUTO), overrides)
    named = processes.shared(to_continue)
    return (Path(named), resumed(Path(named), config, overrides)) if named else (None, config)


def train(
    given: RunConfig,
    prepared: Prepared,
    run_dir: Path,
    vectors: Mapping[str, WordVectors],
    processes: Processes,
    trackers: Mapping[str, Listener],
    listeners: Sequence[Listener] = (),
    origin: Mapping[str, str] | None = None,
    *,
    is_resumed: bool,
) -> int:
    """Trains in `run_dir`, tests the best checkpoint, writes the summary and the page that tells it.

    Args:
        origin: when and by which command, for the summary.

    Returns:
        The exit code: 0, or that of the signal that stopped the run.
    """
    setup = given.setup
    config, task = setup.config, setup.task(prepared.codec, prepared.splits["train"].rows)
    rows = prepared.splits[validated(prepared)].rows
    trainer = replace(config.trainer, monitor=config.trainer.monitor or task.monitor_for(rows))
    like = setup.saved_tensors(prepared.codec) if is_resumed else None
    store = CheckpointStore(run_dir / CHECKPOINTS, keep=trainer.keep_checkpoints, like=like)
    newest = store.newest() if is_resumed else None
    if is_resumed and processes.is_first:
        require_metrics(run_dir / METRICS_FILE)
    model = setup.new_model(prepared.codec)
    if not processes.holds_part:  # else it may be too large for a device
        model = model.to(setup.device)
    if newest is None:  # else the vectors are in the checkpoint
        prepared.report.extend(fill_tables(setup, model, vectors))
    freeze_tables(setup, model)
    if processes.is_first:
        prepared.report.extend(task.remarks(rows, monitored(trainer, task)[0], config.decoding))
    processes.divide(model)
    plan = training_plan_of(setup, prepared)
    if isinstance(plan, PackedPlan):
        prepared.report.extend(plan.notes())
    epochs = Epochs(prepared.splits["train"], plan, Share(processes.rank, processes.size))
    _, direction = monitored(trainer, task)
    resumed_from = (newest.step if newest else 0) if is_resumed else None
    drift = FocusDrift(run_dir, prepared, config.focus.num_samples)

    def evaluate(trained: nn.Module) -> Evaluation:
        answering = whole_model(setup, prepared, trained, processes)
        found = validate(setup, task, answering, prepared, processes)
        return drift.added(found, task, answering) if processes.is_first else found

    evaluations = EvaluationTime()
    others = [drift, *listeners]
    made: AbstractContextManager[RunReport | None] = nullcontext()
    if processes.is_first:
        made = RunReport(run_dir, setup, prepared, model, trackers, others, origin)
    with made as report:
        result = fit(
            model,
            task,
            optimizer=setup.optimizer(model.parameters()),
            scheduler=setup.scheduler(trainer.total_steps(len(epochs(0))), direction),
            batches=epochs,
            evaluate=evaluations.timed(evaluate),
            options=trainer,
            store=store,
            device=setup.device,
            seed=config.seed,
            listeners=[] if report is None else report.listeners,
            facts=None if report is None else report.run_facts,
            resume=is_resumed,
            processes=processes,
        )
        hint = evaluations.hint(result.step - (resumed_from or 0))

        def chosen() -> Model:
            """With the weights of the best checkpoint, or of the last where none is the best."""
            answering = whole_model(setup, prepared, model, processes)
            store.load("best" if result.best else "last").load_model(answering)
            return answering

        tested = chosen() if result.status == "completed" and "test" in prepared.splits else None
        test = None if tested is None else test_of(setup, task, tested, prepared, processes)
        if report is not None:
            heads = None if tested is None else _heads_of(task, tested, prepared)
            report.finish(result, test, resumed_from, hint, heads)
            if is_wanted(given, run_dir, result) and (tested is not None or processes.size == 1):
                trained = Trained(task, chosen() if tested is None else tested, config.decoding)
                write_page(given, trained, prepared, report, result)
    return result.exit_code


def _heads_of(task: Task, tested: Model, prepared: Prepared) -> HeadTable | None:
    """What each head does on some test examples; None where no attention gives weights, or nothing can be read."""
    try:
        table = name_heads(task, tested, prepared.splits["test"], num_examples=NUM_NAMED, split="test")
    except DataError:
        return None
    return table if table.heads else None
