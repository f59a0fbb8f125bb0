"""How far the attention maps of a few examples have moved since the evaluation before, what each head does there, and
what is kept of them."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.preparation import Prepared
from attnfocus.events import Evaluated, Listener, RolledBack, TrainingStarted
from attnfocus.focus import attends, js_distance
from attnfocus.layout import MAPS_FOLDER
from attnfocus.models.base import Model
from attnfocus.regular_files import is_folder, make_folder, read_file, replace_file
from attnfocus.tasks import Evaluation, Task
from attnfocus.tasks.evaluation import device_of
from attnfocus.tasks.looks import Size, map_sizes
from attnfocus.tasks.measures.head_names import kind_counts, named_heads
from attnfocus.tracking.map_history import MapHistory, read_history
from attnfocus.tracking.metrics_file import HEADS_OF_KIND

logger = logging.getLogger(__name__)

NUM_KEPT = 3  # evaluations whose maps stay in the run, so that it can go on from each checkpoint that it may go back to
MAX_NUMBERS = 2**20  # of the maps of one evaluation; with more, fewer examples are looked at
MAX_FILE_BYTES = 2 * 4 * MAX_NUMBERS  # twice what they take, for names and shapes
Maps = Mapping[str, Tensor]  # (B, H, Q, K) by attention, 0 at padding


def drift(before: Maps, after: Maps) -> float | None:
    """Mean Jensen-Shannon distance of the queries' weights, over queries and heads, then over attentions; 0 to 1.

    None if no query attends in both, or the maps are not of the same model and examples.
    """
    if {name: each.shape for name, each in before.items()} != {name: each.shape for name, each in after.items()}:
        return None
    means = []
    for name, now in after.items():
        both = attends(before[name]) & attends(now)
        if both.any():
            means.append(float(js_distance(before[name], now)[both].mean()))
    return sum(means) / len(means) if means else None


class FocusDrift(Listener):
    """Adds to the evaluations of a run how many heads are of each kind, `focus/heads/<kind>`, and from the second on
    `focus/drift`; keeps a history of the maps.

    The maps of the last evaluations lie in the run directory, so that a resumed run measures what an uninterrupted one
    does, and smaller ones of some evaluations of the whole run (`map_history`). A full disk costs no more than that.

    Args:
        run_dir: the run directory.
        prepared: its data; the first examples of valid (or of train, where there is no valid) are looked at.
        num_examples: how many.
    """

    def __init__(self, run_dir: Path, prepared: Prepared, num_examples: int) -> None:
        self._folder = run_dir / MAPS_FOLDER
        self._run_dir = run_dir
        self._examples = looked_at(prepared, num_examples)
        self._before: Maps | None = None
        self._now: Maps | None = None
        self._sizes: Mapping[str, Sequence[Size]] = {}
        self._history = MapHistory()
        self._has_failed = False

    def added(self, evaluation: Evaluation, task: Task, model: Model) -> Evaluation:
        """The evaluation with what these maps say among its metrics."""
        if not self._examples:
            return evaluation
        batch = collate(self._examples).to(device_of(model))
        self._now = few_enough(task.maps(model, batch))
        self._sizes = map_sizes(model, self._now, task.axis_lengths(batch))
        counts = kind_counts(named_heads(task, model, batch, self._now))
        found = {f"{HEADS_OF_KIND}{kind}": float(count) for kind, count in counts.items()}
        value = None if self._before is None else drift(self._before, self._now)
        found |= {} if value is None else {"focus/drift": value}
        return replace(evaluation, metrics={**evaluation.metrics, **found})

    def on_start(self, event: TrainingStarted) -> None:
        if event.resumed_from is not None:
            self._history = read_history(self._run_dir)
            self._go_back(event.resumed_from, event.is_evaluated)

    def on_rollback(self, event: RolledBack) -> None:
        self._go_back(event.step, event.is_evaluated)

    def on_evaluation(self, event: Evaluated) -> None:
        if event.split != "valid" or not self._now:
            return
        self._before, self._now = self._now, None
        self._history.add(event.step, self._before, self._sizes)
        try:
            make_folder(self._folder)
            replace_file(self._folder / f"maps-{event.step:08d}.safetensors", save(dict(self._before)))
            for old in self._files()[:-NUM_KEPT]:
                old.unlink(missing_ok=True)
            self._history.write(self._run_dir)
        except OSError as error:
            if not self._has_failed:  # once, not at each evaluation
                logger.warning("%s cannot be written (%s): no focus/drift after resuming", self._folder, error.strerror)
            self._has_failed = True

    def _go_back(self, step: int, is_evaluated: bool) -> None:
        """Forgets the maps of what comes again; the newest that stay are those to compare with."""
        last = step if is_evaluated else step - 1
        self._before = None
        for path in self._files():
            if int(path.stem.removeprefix("maps-")) > last:
                path.unlink(missing_ok=True)
        try:
            self._before = load(read_file(self._files()[-1], MAX_FILE_BYTES))
        except (IndexError, OSError, SafetensorError):
            logger.info("no maps of an earlier evaluation: focus/drift begins anew")
        if self._history.steps[-1:] > [last]:
            self._history.go_back(last)
            with suppress(OSError):  # the next evaluation writes it, or says why not
                self._history.write(self._run_dir)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("maps-[0-9]*.safetensors")) if is_folder(self._folder) else []


def looked_at(prepared: Prepared, num_examples: int) -> list[Encoded]:
    """The first examples of valid; of train, where there is no valid."""
    split = "valid" if "valid" in prepared.splits else "train"
    return prepared.splits[split][:num_examples]


def few_enough(maps: Maps) -> Maps:
    """The maps of as many of the examples as are not too large together; empty if even one is."""
    of_one = sum(each[0].numel() for each in maps.values())
    return {name: each[: MAX_NUMBERS // of_one] for name, each in maps.items()} if 0 < of_one <= MAX_NUMBERS else {}
