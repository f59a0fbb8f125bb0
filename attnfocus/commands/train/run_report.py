"""Everything that a training run writes and shows besides its checkpoints."""

import logging
import math
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from attnfocus.attention import PathChoice
from attnfocus.commands.train.linear_baseline import linear_baseline
from attnfocus.commands.train.main_options import flat_options, main_options
from attnfocus.data.preparation import Prepared
from attnfocus.data.statistics import SplitStatistics
from attnfocus.display.classes import ClassTable
from attnfocus.display.console import open_console, say
from attnfocus.display.result import Result
from attnfocus.display.samples import SampleAnswer, sample_answers
from attnfocus.errors import UserError
from attnfocus.events import Evaluated, Listener, RunFacts
from attnfocus.explanation.head_table import HeadTable
from attnfocus.files import relative_to_here
from attnfocus.layout import LOG_FILE, METRICS_FILE, SUMMARY_FILE
from attnfocus.models.base import Model
from attnfocus.redaction import redact
from attnfocus.runs.assembly import Setup
from attnfocus.runs.class_files import save_classes
from attnfocus.runs.data_summary import majority_accuracy, statistics_of, summary_lines
from attnfocus.runs.folder import environment
from attnfocus.runs.heads_file import save_heads
from attnfocus.runs.predictions_file import save_answers
from attnfocus.runs.schema import NAMING_GROUPS
from attnfocus.runs.summary import write_summary
from attnfocus.stages import watching
from attnfocus.tasks import Evaluation
from attnfocus.tracking.attention_paths import TakenPaths, path_lines
from attnfocus.tracking.collapse_warning import FocusWatch
from attnfocus.tracking.guard import Guarded, own_are_strict
from attnfocus.tracking.log import LogEvents, RunLog
from attnfocus.tracking.metrics_file import MetricsFile, logged_metrics
from attnfocus.tracking.screen import Terminal
from attnfocus.tracking.tensorboard import TensorBoard
from attnfocus.training import TrainerOptions, TrainingResult
from attnfocus.training.device import emulation_warning

logger = logging.getLogger(__name__)


class RunReport:
    """The listeners of one run, its summary, and its last words. A context: closes everything, notes a failure.

    Args:
        run_dir: where everything is written.
        setup: the run's configuration.
        prepared: its data, for the report lines.
        model: for its size, and for how its attentions compute.
        trackers: those that the user has chosen, by name.
        others: who hears the run besides: what only an evaluation can give, a search.
        origin: when and by which command the run began, or went on.
    """

    def __init__(
        self,
        run_dir: Path,
        setup: Setup,
        prepared: Prepared,
        model: Model,
        trackers: Mapping[str, Listener],
        others: Sequence[Listener] = (),
        origin: Mapping[str, str] | None = None,
    ) -> None:
        self.run_dir = run_dir
        self.setup = setup
        self.facts: dict[str, Any] = {
            "status": "running",
            **(origin or {}),
            **environment(str(setup.device)),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "choices": setup.config.choices,
            "directions": setup.directions,  # for whoever reads the figures without the task or a metric of one's own
        }
        self.is_finished = False  # its summary is whole, whatever comes after
        self.notes, self.labels = model.notes, model.labels()
        self.prepared = prepared
        self.paths = TakenPaths(model, setup.device, self._tell_paths)
        self._note_paths()
        self.statistics = statistics_of(prepared)
        self.majority = majority_accuracy(self.statistics)
        self.header = header(run_dir, setup, prepared, self.statistics, self.facts["parameters"])
        self.terminal = Terminal([*self.header, *self.notes])
        self._watched = ExitStack()
        self.log = RunLog(run_dir / LOG_FILE, self.terminal.announce)
        self.evaluations = _LastEvaluation()
        self.listeners = self._listeners(trackers, others)

    def _listeners(self, trackers: Mapping[str, Listener], others: Sequence[Listener]) -> list[Listener]:
        """All who hear the run, in the order in which they hear it. Those that write or send go on alone or stop."""
        warn, is_strict = self.terminal.announce, own_are_strict()
        files: list[Listener] = [MetricsFile(), TensorBoard(self.setup.config.trainer.scalars), LogEvents()]
        return [
            *others,
            *(Guarded(listener, warn, is_strict=is_strict) for listener in files),
            Guarded(self.terminal, lambda line: None, is_strict=is_strict),
            self.evaluations,
            FocusWatch(),
            self.paths,
            *(Guarded(tracker, logger.warning, name=f"tracker.{name}") for name, tracker in trackers.items()),
        ]

    @property
    def run_facts(self) -> RunFacts:
        """What the listeners may show of the run besides its figures."""
        options = redact(flat_options(self.setup))
        main = main_options(self.setup)
        return RunFacts(self.setup.config.choices, options, self.setup.directions, main, self.labels)

    def __enter__(self) -> "RunReport":
        self._watched.enter_context(watching(self.terminal))
        self.write_summary(self.facts)
        logger.info("threads: %(torch)d, waiting: %(waiting)s", self.facts["threads"])
        for line in (*self.header, *self.notes):
            logger.info("%s", line)
        warning = emulation_warning(self.setup.config.trainer.precision, self.setup.device)
        if warning is not None:
            logger.warning("%s", warning)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not self.is_finished:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self.write_summary({**self.facts, "status": status, "error": message})
        self._watched.close()
        for listener in self.listeners:
            listener.close()
        self.log.close()

    def _note_paths(self) -> None:
        """What the summary says of the paths: how each would compute at any size, until a step has been made."""
        found = self.paths.choices().items()
        self.facts["attention_paths"] = {place: {"path": each.name, "reason": each.reason} for place, each in found}

    def _tell_paths(self, choices: Mapping[str, PathChoice]) -> None:
        for line in path_lines(choices):
            logger.info(line)
            self.terminal.announce(line, style="dim")
        self._note_paths()
        self.write_summary(self.facts)

    def write_summary(self, facts: Mapping[str, Any]) -> None:
        """Writes summary.json. A full disk is told, and neither ends the run nor hides why it ended."""
        try:
            write_summary(self.run_dir, facts)
        except OSError as error:
            logger.warning("%s could not be written (%s)", self.run_dir / SUMMARY_FILE, error.strerror or error)

    def finish(
        self,
        result: TrainingResult,
        test: Evaluation | None,
        resumed_from: int | None = None,
        hint: str = "",
        heads: HeadTable | None = None,
    ) -> None:
        """Writes the test answers and the summary, then shows the result and what can be done with it.

        `resumed_from` is the step of the checkpoint that the run went on from; None for a new run. `hint`: what is said
        of how it was trained. `heads`: what each does, on some test examples.
        """
        if hint:
            self.terminal.announce(hint, style="dim")
        facts = {
            **self.facts,
            "status": result.status,
            "reason": result.reason,
            "steps": result.step,
            "epochs": result.epoch,
            "seconds": round(result.seconds, 1),
            "words_per_second": round(result.words_per_second, 1),
            "best": None if result.best is None else vars(result.best),
        }
        classes = None if test is None else ClassTable.of(test.extras)
        if test is not None:
            save_answers(self.run_dir, test.predictions, input_kind=self.prepared.codec.input_kind)
            facts["test"] = {**test.metrics, **test.extras, "focus_heads": test.heads}
            if classes is not None:
                save_classes(self.run_dir, classes)
            step = result.best.step if result.best else result.step
            if heads is not None:
                facts["test"]["head_kinds"] = heads.kinds
                save_heads(self.run_dir, heads, step)
            told: dict[str, Any] = {"samples": test.samples, "answers": test.answers, "heads": test.heads}
            event = Evaluated(step, result.epoch, "test", result.seconds, test.metrics, **told)
            for listener in self.listeners:
                listener.on_evaluation(event)
        self.write_summary(facts)
        self.is_finished = True
        baselines = {"majority": self.majority}
        if test is not None and "mean_baseline" in test.extras:
            baselines = {"mean": {"test": test.extras["mean_baseline"]["mse"]}}  # type: ignore[index]
        if self.setup.config.baseline is not None and result.status == "completed":
            facts["baseline"] = linear_baseline(self.prepared, lambda line: self.terminal.announce(line, style="dim"))
            baselines["linear"] = facts["baseline"]["accuracy"]
            self.write_summary(facts)
        metrics = self._valid_metrics(result) | ({} if test is None else {"test": test.metrics})
        was_finished = result.step == resumed_from and result.status == "completed"
        remark = finished_remark(self.run_dir, result, self.setup.config.trainer) if was_finished else ""
        chosen = self.setup.config.tracker.items()
        trackers = [name for name, node in chosen if node["_target_"].startswith("attnfocus.")]  # others need more
        commands = next_commands(self.run_dir, result, trackers, self.setup.config.trust)
        if not self.setup.task_class.has_probabilities:
            commands = [command.removesuffix(" faithfulness=true") for command in commands]
        samples = [] if test is None else sample_answers(self._answers(test))
        self.terminal.summary(Result(self.run_dir, metrics, result.best, commands, remark, baselines, classes, samples))

    def _answers(self, test: Evaluation) -> list[SampleAnswer]:
        has_text = self.prepared.codec.input_kind == "text"
        answered = [each for each in test.predictions if each.skipped is None and each.target]
        if not answered:  # texts that a language model has read: how it goes on after a half of some
            return [SampleAnswer(each.id, each.source, each.prediction, each.target, False) for each in test.samples]
        return [
            SampleAnswer(each.id, each.source if has_text else "", each.text, each.target, not each.is_number)
            for each in answered
        ]

    def _valid_metrics(self, result: TrainingResult) -> dict[str, Mapping[str, float]]:
        """The metrics of the best validation by the name of their column; empty where there was none."""
        metrics = self.evaluations.best
        if metrics is None and result.best is not None:  # the best is of the part before a resume
            metrics = logged_metrics(self.run_dir / METRICS_FILE, result.best.step, "valid")
        greedy = self.setup.task_class.writes and not self.setup.config.decoding.is_greedy
        return {} if metrics is None else {"valid (greedy)" if greedy else "valid": metrics}


class _LastEvaluation(Listener):
    """Keeps the metrics of the best validation, for the result that is shown at the end."""

    def __init__(self) -> None:
        self.best: Mapping[str, float] | None = None

    def on_evaluation(self, event: Evaluated) -> None:
        if event.is_best and event.split == "valid":
            self.best = event.metrics


def announce(setup: Setup) -> None:
    """The first line on the screen: what is trained. It comes before the data are read, which may take long."""
    names = setup.config.choices
    title = " ".join(f"{group}={names[group]}" for group in NAMING_GROUPS if group in names)
    say(open_console(), title, style="bold")


def header(
    run_dir: Path, setup: Setup, prepared: Prepared, statistics: Mapping[str, SplitStatistics], num_parameters: int
) -> list[str]:
    """How large the model is, what the data are, and where the run is written."""
    device = f"{num_parameters:,} parameters, {setup.config.trainer.precision} on {setup.device}"
    summary = summary_lines(prepared, statistics, setup.data_options, setup.config.trainer)
    return [device, *prepared.report, *summary, f"run {run_dir}"]


def next_commands(
    run_dir: Path, result: TrainingResult, trackers: Sequence[str] = (), trusted: Sequence[str] = ()
) -> list[str]:
    """Commands to try next, first where the model looked, and whether that can be trusted.

    Of a run that has not ended the one that goes on with it. Its trackers and the packages that it trusts are not saved
    with it, so that they are given again.
    """
    here = relative_to_here(run_dir)
    trust = [shlex.quote(f"trust=[{','.join(trusted)}]")] if trusted else []
    shown = " ".join([shlex.quote(f"run={here}"), *trust])
    if result.status != "completed":
        again = [shlex.quote(f"tracker=[{','.join(trackers)}]")] if trackers else []
        return [" ".join(["attnfocus train", shlex.quote(f"resume={here}"), *again, *trust])]
    logs = shlex.quote(str(here.parts[0] if len(here.parts) > 2 and not here.is_absolute() else here))
    return [
        f"attnfocus inspect {shown}",
        f"attnfocus evaluate {shown} faithfulness=true",
        f"attnfocus predict {shown}",
        f"tensorboard --logdir {logs}",
    ]


def finished_remark(run_dir: Path, result: TrainingResult, trainer: TrainerOptions) -> str:
    """What is said when a run was resumed that had nothing left to do, with the limits that would let it go on.

    A limit may have been made smaller than what the run has reached: twice what is larger of the two lets it go on.
    """
    reached = {"max_steps": result.step, "max_epochs": result.epoch, "max_minutes": math.ceil(result.seconds / 60)}
    limits = {name: getattr(trainer, name) for name in reached}
    larger = [
        f"trainer.{name}={2 * max(limit, reached[name]):g}"
        for name, limit in limits.items()
        if limit is not None and (limit <= reached[name] or result.reason.startswith(name))
    ]
    if not result.reason.startswith(tuple(limits)):
        larger.append(f"trainer.patience={2 * (trainer.patience or 1)}")
    resume = shlex.quote(f"resume={relative_to_here(run_dir)}")
    ended = next((name for name in limits if result.reason.startswith(name)), "")
    why = f"{ended}={limits[ended]:g}" if ended else result.reason
    return (
        f"This run is already finished at step {result.step} ({why}). Nothing was trained. To go on, give a larger "
        f"limit:\n  attnfocus train {resume} {' '.join(larger)}"
    )
