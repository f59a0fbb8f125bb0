"""A run that has been saved, as an object: what evaluate and predict do, and what three lines of Python can do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

from attnfocus.data.batches import BatchPlan, collate, example_lengths
from attnfocus.data.codecs.base import FILE_KINDS, Codec, Encoded
from attnfocus.data.preparation import NewRows, Prepared
from attnfocus.data.reading.inputs import Input
from attnfocus.decoding.side_by_side import num_threads
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation import AttributionOptions, Faithfulness, measure_faithfulness
from attnfocus.explanation.options import Level
from attnfocus.inspection.difference import Other
from attnfocus.inspection.examples import Choice, Trained, check_methods, inspect_examples
from attnfocus.inspection.inspection import Inspection
from attnfocus.inspection.patched_maps import check_patches, with_patches
from attnfocus.models.base import Model
from attnfocus.runs.causes import Causes
from attnfocus.runs.config import RunConfig
from attnfocus.runs.evaluation import evaluate_split, prepare_data
from attnfocus.runs.findings import findings_of
from attnfocus.runs.folder import check_fingerprints
from attnfocus.runs.other_data import OtherData
from attnfocus.runs.schema import NAMING_GROUPS
from attnfocus.runs.summary import best_of
from attnfocus.tasks import Evaluation, Prediction, Task

BATCHES_READ_AHEAD = 16  # whose lines are sorted by length together


class Run(Causes):
    """A trained model with everything around it. Made by `attnfocus.train` and `attnfocus.load`.

    Many threads may ask one run at once: nothing of the model is changed for a question. (Each thread first reads its
    `num_threads`, which another's question sets for its helpers for a moment.)

    Attributes:
        path: the run directory.
        config: its configuration.
        setup: the same, checked and ready to build from.
        model: on the device asked for, in eval mode.
        codec: turns text into ids and back.
        task: computes metrics and predictions.
    """

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        model: Model,
        codec: Codec,
        step: int,
        checkpoint: str = "best",
        other_data: OtherData | None = None,
    ) -> None:
        self.path = path
        self.config = config
        self.setup = config.setup
        self.model = model
        self.codec = codec
        self.step = step
        self.checkpoint = checkpoint
        self.other_data = other_data or OtherData({})
        self._new_rows: dict[str, NewRows] = {}
        self._read: tuple[str, Prepared] | None = None  # the split that was asked for last
        self.task: Task = self.setup.task(codec)

    def __repr__(self) -> str:
        """Where it is, what was trained, and how good it was when it was the best."""
        facts: dict[str, object] = {name: self.setup.config.choices.get(name, "?") for name in NAMING_GROUPS}
        facts |= {"checkpoint": self.checkpoint, "step": self.step}
        best = best_of(self.path)
        if best is not None:
            facts[best.metric] = best.value
        return f"Run({str(self.path)!r}, {', '.join(f'{name}={value!r}' for name, value in facts.items())})"

    def evaluate(self, split: str = "test") -> Evaluation:
        """Metrics of one split, with the decoding of the run: for test those of the summary, to the digit.

        What was logged of valid during training was decoded greedily, whatever the run's beam.

        Raises:
            ConfigError: the run's configuration lacks a secret that reading the data may need.
            DataError: the data are not there, or the set has no such split.
            CheckpointError: the data are not those that the run was trained on.
        """
        prepared = self._prepared(split)
        return evaluate_split(self.setup, self.task, self.model, prepared, split, self.setup.config.decoding)

    def new_rows(self, split: str) -> NewRows | None:
        """The rows of a file that `load` was given for a split; None where it was given none.

        Raises:
            ConfigError, DataError: as `OtherData.new_rows`.
        """
        if not self.other_data.is_new(split):
            return None
        if split not in self._new_rows:
            self._new_rows[split] = self.other_data.new_rows(split, self.setup, self.codec)
        return self._new_rows[split]

    def _prepared(self, split: str) -> Prepared:
        new = self.new_rows(split)
        if new is not None:
            return new.prepared
        self.config.require_whole(self.path, "dataset")
        setup = self.other_data.moved(self.config).setup
        if self._read is not None and self._read[0] == split:
            return self._read[1]
        prepared = prepare_data(setup, self.codec, wanted=[split])
        check_fingerprints(self.path, prepared)
        if split not in prepared.splits:
            raise DataError(f"split: this set has no {split}.")
        self._read = split, prepared
        return prepared

    @overload
    def predict(  # type: ignore[overload-overlap]  # a text is an iterable of texts, too
        self, lines: str, *, need_weights: bool = False, batch_size: int = 64
    ) -> Prediction: ...

    @overload
    def predict(
        self, lines: Iterable[str | Input | None], *, need_weights: bool = False, batch_size: int = 64
    ) -> Iterator[Prediction]: ...

    def predict(
        self, lines: str | Iterable[str | Input | None], *, need_weights: bool = False, batch_size: int = 64
    ) -> Prediction | Iterator[Prediction]:
        """The prediction for one text, or one for each line of several, in order.

        A text that cannot be answered gives one with `skipped` set.

        Args:
            lines: one text, which is answered at once; or inputs without line ends, answered as they are iterated over;
                an `Input` has an id of its own, and may say why it cannot be read. Without weights some batches of them
                are read ahead, so that lines of like length can be run together; with a `batch_size` of 1 one at a
                time. A None among them says that no further one has arrived yet: those before it are answered first.
            need_weights: also give the attention weights, which take much memory: nothing is read ahead.
            batch_size: lines that are run together; does not change the answers.
        """
        if isinstance(lines, str):
            return next(self._predictions([lines], need_weights, 1))
        iter(lines)  # what is no list of texts is an error now, not when the first answer is asked for
        return self._predictions(lines, need_weights, batch_size)

    def _predictions(
        self, lines: Iterable[str | Input | None], need_weights: bool, batch_size: int
    ) -> Iterator[Prediction]:
        num_threads()
        number = 0
        for chunk in _windows(lines, batch_size * (1 if need_weights or batch_size == 1 else BATCHES_READ_AHEAD)):
            given = [_as_input(line, place) for place, line in enumerate(chunk, number + 1)]
            number += len(chunk)
            given, encoded = self._encoded(given)
            readable = [each for each in given if each.problem is None]
            plan = BatchPlan(example_lengths(encoded), batch_size, "sentences", seed=0).fixed()
            batches = (collate([encoded[place] for place in places]).to(self.setup.device) for places in plan)
            decoding = self.setup.config.decoding
            found = self.task.predict(self.model, batches, decoding=decoding, need_weights=need_weights)
            places = [place for group in plan for place in group]
            by_place = dict(zip(places, found, strict=True))
            answers = iter([by_place[place] for place in range(len(readable))])
            for each in given:
                answer = _unread(each) if each.problem is not None else next(answers)
                yield replace(answer, target=each.target) if each.target else answer

    def _encoded(self, given: Sequence[Input]) -> tuple[list[Input], list[Encoded]]:
        """The inputs, those with their problem whose file cannot be read; and the readable ones encoded.

        Raises:
            DataError: a text stands for no input of this kind.
        """
        inputs, encoded, clean = list[Input](), list[Encoded](), self.setup.data_options.clean
        for each in given:
            try:
                if each.problem is None:
                    encoded.append(self.codec.encode_input(each.text, each.id, clean))
            except DataError as error:
                may_be_file = self.codec.is_lazy or self.codec.input_kind in FILE_KINDS
                if not may_be_file:  # other files may be whole
                    raise
                each = replace(each, problem=str(error).splitlines()[0])
            inputs.append(each)
        return inputs, encoded

    def inspect(
        self,
        texts: str | Sequence[str | Input] | None = None,
        *,
        split: str | None = None,
        ids: Sequence[str] | None = None,
        num_examples: int = 4,
        layer: str | int | None = None,
        head: int | None = None,
        method: str | Sequence[str] | None = None,
        minus: "Run | None" = None,
        against: str | None = None,
        span: int | None = None,
        level: Level = "token",
        corrupted: str | None = None,
    ) -> Inspection:
        """Where the run looks: an object that prints, shows itself in a notebook, and saves itself (`.save(FOLDER)`).

        Args:
            texts: one input or several, as `predict` takes them; None: the first `num_examples` of `split` (test where
                None).
            layer: part of the names of the attentions to show (1, `layers.1`, `cross`); None: all.
            head: number of one head to show; None: all.
            method: one of `attnfocus.explanation.METHODS`, or several; None: attention and integrated_gradients, which
                pass back 32 times for each output (gradient_input where that is more than 2^18 positions).
            against, span, level: as in `attnfocus.explanation.AttributionOptions`; level is that of all maps.
            corrupted: another text of as many tokens; shown is what of the run on `texts`, put back into that on this
                one, brings the answer back (`patch`).
            minus: another run, or another checkpoint of this one, whose maps of the same answers are taken away.

        Raises:
            ConfigError: a layer, head or method that there is not; texts and a split; no number of examples; a `minus`
                that reads other tokens, or has other attentions.
            DataError: no input can be answered, or there is none; or as `evaluate`.
        """
        num_threads()
        options = AttributionOptions(against=against, span=span, level=level)
        choice = Choice(layer, head, check_methods(method, are_two=corrupted is not None), options)
        num_texts = 0 if texts is None else 1 if isinstance(texts, str) else len(texts)
        check_patches(choice.methods or (), num_texts, corrupted, minus is not None)
        if texts is None:
            split = split or "test"
            if num_examples < 1:
                raise ConfigError(f"num_examples: must be > 0, got {num_examples}.")
            whole = self._prepared(split).splits[split]
            examples: Sequence[Encoded | Prediction] = whole[:num_examples] if ids is None else whole.named(ids)
        else:
            if split is not None or ids is not None:
                raise ConfigError("texts and split: choose one of them.")
            given = [texts] if isinstance(texts, str) else texts
            inputs, encoded = self._encoded([_as_input(text, number) for number, text in enumerate(given, 1)])
            remaining = iter(encoded)
            examples = [_unread(each) if each.problem is not None else next(remaining) for each in inputs]
        trained = Trained(self.task, self.model, self.setup.config.decoding)
        other = None if minus is None else self._other(minus, choice)
        found = inspect_examples(trained, examples, choice, other)
        choices = self.setup.config.choices
        facts: dict[str, str | int] = {
            "run": self.path.name,  # a page may be given away
            **{name: str(choices.get(name, "?")) for name in NAMING_GROUPS},
            "checkpoint": self.checkpoint,
            "step": self.step,
        }
        if other is not None:
            facts["minus"] = other.label
        if corrupted is not None and isinstance(examples[0], Encoded):
            second = self._example(corrupted, "corrupted")
            answer, facts["patched"] = with_patches(trained, examples[0], found[0], second, choice)
            found = (answer,)
        of_weights = findings_of(self.path, self.checkpoint, self.step)
        return Inspection(facts, self.codec.input_kind, found, **of_weights)

    def _other(self, minus: "Run", choice: Choice) -> Other:
        """What another run or step is, seen from this one."""
        is_same_run = minus.path == self.path
        step = "the average" if minus.checkpoint == "average" else f"step {minus.step}"
        label = step if is_same_run else f"{minus.path.name} ({step})"
        if is_same_run and (minus.step, minus.checkpoint == "average") == (self.step, self.checkpoint == "average"):
            raise ConfigError(f"minus: {label} is what is shown itself. Name another step or run.")
        clean = minus.setup.data_options.clean
        return Other(label, minus.task, minus.model, clean, is_same_run, choice.head is not None)

    def faithfulness(self, split: str = "test", num_examples: int | None = None, seed: int = 0) -> Faithfulness:
        """How far the attention weights can be read as an explanation of the model's own answers.

        Args:
            num_examples: drawn from the split by the seed (> 0); None: as many as the verdict needs, 64 to 512.

        Raises:
            As `evaluate`, and DataError where the model can read none of the examples.
        """
        examples = self._prepared(split).splits[split]
        return measure_faithfulness(self.task, self.model, examples, num_examples=num_examples, seed=seed, split=split)


def _as_input(line: str | Input, number: int) -> Input:
    return Input(str(number), line) if isinstance(line, str) else line


def _unread(line: Input) -> Prediction:
    """The answer to an input that cannot be read."""
    return Prediction(line.id, "", float("nan"), line.text, skipped=line.problem)


def _windows(lines: Iterable[str | Input | None], size: int) -> Iterator[list[str | Input]]:
    """Lists of up to `size` lines; each None ends one early."""
    window: list[str | Input] = []
    for line in lines:
        if line is not None:
            window.append(line)
        if window and (line is None or len(window) == size):
            yield window
            window = []
    if window:
        yield window
