"""A run that has been saved, as an object: what evaluate and predict do, and what three lines of Python can do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from attnfocus.data.batches import BatchPlan, collate, example_lengths
from attnfocus.data.codecs.base import Codec, load_codec
from attnfocus.data.preparation import Prepared
from attnfocus.decoding.side_by_side import num_threads
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation import Attribution, AttributionOptions, Faithfulness, attribute, measure_faithfulness
from attnfocus.inspection.examples import Choice, Trained, check_methods, inspect_examples
from attnfocus.inspection.inspection import Inspection
from attnfocus.layout import CHECKPOINTS, DATA_FOLDER
from attnfocus.models.base import Model
from attnfocus.runs.config import RunConfig
from attnfocus.runs.evaluation import evaluate_split, prepare_data
from attnfocus.runs.faithfulness_file import load_faithfulness, load_verdict
from attnfocus.runs.folder import check_fingerprints
from attnfocus.runs.schema import NAMING_GROUPS, DecodingOverride
from attnfocus.tasks import Evaluation, Prediction, Task
from attnfocus.training import CheckpointStore, resolve_device
from attnfocus.training.checkpoints.average import mean_weights
from attnfocus.training.checkpoints.tensors import load_model_tensors

BATCHES_READ_AHEAD = 16  # whose lines are sorted by length together


class Run:
    """A trained model with everything around it. Made by `attnfocus.load`.

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
        self, path: Path, config: RunConfig, model: Model, codec: Codec, step: int, checkpoint: str = "best"
    ) -> None:
        self.path = path
        self.config = config
        self.setup = config.setup
        self.model = model
        self.codec = codec
        self.step = step
        self.checkpoint = checkpoint
        self.task: Task = self.setup.task(codec)

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

    def _prepared(self, split: str) -> Prepared:
        self.config.require_whole(self.path, "dataset")
        prepared = prepare_data(self.setup, self.codec, wanted=[split])
        check_fingerprints(self.path, prepared)
        if split not in prepared.splits:
            raise DataError(f"split: this set has no {split}.")
        return prepared

    def predict(
        self, lines: Iterable[str | None], *, need_weights: bool = False, batch_size: int = 64
    ) -> Iterator[Prediction]:
        """A prediction for each line, in order. A line that cannot be answered gives one with `skipped` set.

        Args:
            lines: inputs without line ends. Without weights some batches of them are read ahead, so that lines of
                like length can be run together; one at a time with a `batch_size` of 1. A None among them says that
                no further one has arrived yet: those before it are answered first.
            need_weights: also give the attention weights, which take much memory: nothing is read ahead.
            batch_size: lines that are run together; does not change the answers.
        """
        num_threads()
        number, clean = 0, self.setup.data_options.clean
        for chunk in _windows(lines, batch_size * (1 if need_weights or batch_size == 1 else BATCHES_READ_AHEAD)):
            encoded = [self.codec.encode_input(text, str(place), clean) for place, text in enumerate(chunk, number + 1)]
            number += len(chunk)
            plan = BatchPlan(example_lengths(encoded), batch_size, "sentences", seed=0).fixed()
            batches = (collate([encoded[place] for place in places]).to(self.setup.device) for places in plan)
            decoding = self.setup.config.decoding
            found = self.task.predict(self.model, batches, decoding=decoding, need_weights=need_weights)
            places = [place for group in plan for place in group]
            by_place = dict(zip(places, found, strict=True))
            yield from (by_place[place] for place in range(len(chunk)))

    def inspect(
        self,
        texts: str | Sequence[str] | None = None,
        *,
        split: str | None = None,
        num_examples: int = 4,
        layer: str | int | None = None,
        head: int | None = None,
        method: str | Sequence[str] | None = None,
    ) -> Inspection:
        """Where the run looks: an object that prints, shows itself in a notebook, and saves itself (`.save(FOLDER)`).

        Args:
            texts: one input or several; None: the first `num_examples` of `split` (test where None).
            layer: part of the names of the attentions to show (1, `layers.1`, `cross`); None: all.
            head: number of one head to show; None: all.
            method: one of `attnfocus.explanation.METHODS`, or several; None: attention and gradient_input.

        Raises:
            ConfigError: a layer, head or method that there is not; texts and a split; no number of examples.
            DataError: no input can be answered, or there is none; or as `evaluate`.
        """
        num_threads()
        choice = Choice(layer, head, check_methods(method))
        if texts is None:
            split = split or "test"
            if num_examples < 1:
                raise ConfigError(f"num_examples: must be > 0, got {num_examples}.")
            examples = self._prepared(split).splits[split][:num_examples]
        else:
            if split is not None:
                raise ConfigError("texts and split: choose one of them.")
            clean, given = self.setup.data_options.clean, [texts] if isinstance(texts, str) else texts
            examples = [self.codec.encode_input(text, str(n), clean) for n, text in enumerate(given, 1)]
        trained = Trained(self.task, self.model, self.setup.config.decoding)
        found = inspect_examples(trained, examples, choice)
        choices = self.setup.config.choices
        facts: dict[str, str | int] = {
            "run": self.path.name,  # a page may be given away
            **{name: str(choices.get(name, "?")) for name in NAMING_GROUPS},
            "checkpoint": self.checkpoint,
            "step": self.step,
        }
        kind = self.codec.input_kind
        if self.checkpoint != "best":
            return Inspection(facts, kind, found)  # what evaluate has tested are the weights of the best
        tested = load_verdict(self.path, self.step), load_faithfulness(self.path, self.step)
        return Inspection(facts, kind, found, *tested)

    def attribute(self, text: str, method: str = "gradient_input", **options: Any) -> Attribution:
        """What the answer to a text rests on: a number for each output token (or the label) and input position.

        Args:
            text: the input, as `predict` takes it.
            method: one of `attnfocus.explanation.METHODS`; docs/focus.md says what each computes.
            options: of `attnfocus.explanation.AttributionOptions`: `target` explains another answer than the model's
                own, `layer` and `head` choose what attention methods read.

        Raises:
            ConfigError: a method, option or label that there is not.
            DataError: an input that the model cannot read, or an answer without a token.
        """
        unknown = sorted(set(options) - {option.name for option in fields(AttributionOptions)})
        if unknown:
            known = ", ".join(option.name for option in fields(AttributionOptions))
            raise ConfigError(f"{unknown[0]}: no option of attribute. It has {known}.")
        num_threads()
        example = self.codec.encode_input(text, "text", self.setup.data_options.clean)
        chosen = AttributionOptions(**options)
        return attribute(self.task, self.model, [example], method, chosen, self.setup.config.decoding)[0]

    def faithfulness(self, split: str = "test", num_examples: int = 64, seed: int = 0) -> Faithfulness:
        """How far the attention weights can be read as an explanation of the model's own answers.

        Args:
            num_examples: drawn from the split by the seed; more take longer and tell more (> 0).

        Raises:
            As `evaluate`, and DataError where the model can read none of the examples.
        """
        examples = self._prepared(split).splits[split]
        return measure_faithfulness(self.task, self.model, examples, num_examples=num_examples, seed=seed, split=split)


def _windows(lines: Iterable[str | None], size: int) -> Iterator[list[str]]:
    """Lists of up to `size` lines; each None ends one early."""
    window: list[str] = []
    for line in lines:
        if line is not None:
            window.append(line)
        if window and (line is None or len(window) == size):
            yield window
            window = []
    if window:
        yield window


def require_run(values: Mapping[str, Any]) -> None:
    """Refuses a verb's configuration that names no run directory, before anything else of it is looked at.

    Raises:
        ConfigError: `run` is missing.
    """
    if not values.get("run"):
        raise ConfigError("run: name the run directory, for example run=outputs/DATE/RUN.")


def load(
    run: str | Path,
    *,
    checkpoint: str = "best",
    device: str = "auto",
    decoding: DecodingOverride | None = None,
    data: str | None = None,
    trust: Sequence[str] = (),
) -> Run:
    """Loads a run from its directory.

    Args:
        run: the run directory.
        checkpoint: `best`, `last`, `average` (the mean of the newest `trainer.keep_checkpoints`), or a step's folder
            such as `step-00001200`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        decoding: what to change of the run's decoding.
        data: folder of the named data sets; None takes the run's.
        trust: packages, besides our own, whose classes the run's configuration may name.

    Raises:
        ConfigError: `run` is no run directory, or the device is not there.
        CheckpointError: nothing whole has been saved, or less than two checkpoints to average.
    """
    path = Path(run).expanduser().resolve()
    config = RunConfig.load("run", path, trust).changed(device=device)
    attention = config.values["attention"]
    if resolve_device(device).type != "cuda" and attention.get("path") == "flex":
        config = config.changed(attention={**attention, "path": "auto"})  # trained on a GPU, loaded where there is none
    if data is not None:
        config = config.changed(paths={**config.values.get("paths", {}), "data": data})
    if decoding is not None:
        changes = {name: value for name, value in vars(decoding).items() if value is not None}
        config = config.changed(decoding={**config.values["decoding"], **changes})
    setup = config.setup
    codec = load_codec(path / DATA_FOLDER, setup.codecs.classes)
    keep, like = setup.config.trainer.keep_checkpoints, setup.saved_tensors(codec)
    store = CheckpointStore(path / CHECKPOINTS, keep=keep, like=like)
    checkpoints = store.newest_few() if checkpoint == "average" else [store.load(checkpoint)]
    model = setup.model(**codec.dims()).to(setup.device)
    if checkpoint == "average":
        load_model_tensors(model, mean_weights(checkpoints))
    else:
        checkpoints[0].load_model(model)
    step = checkpoints[0].step
    model.eval()
    return Run(path, config, model, codec, step, checkpoint)
