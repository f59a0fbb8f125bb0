"""From the configuration to objects: the one place where data, model, attention and task meet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from attnfocus.attention import BaseAttention, Call
from attnfocus.config.check import Checker, check_sections
from attnfocus.config.folder import groups, shipped_folder
from attnfocus.config.read import load_yaml
from attnfocus.config.targets import find_target, make_factory
from attnfocus.data.preparation import DatasetOptions
from attnfocus.data.reading.download import default_data_dir
from attnfocus.data.rows import Source
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError, UserError
from attnfocus.focus import sigma_reparametrize
from attnfocus.runs.schema import TRAIN_SECTIONS, EmbeddingOptions, TrainConfig
from attnfocus.runs.trial import without_numbers
from attnfocus.tasks import TASKS, Task
from attnfocus.tasks.regularizers import regularizer_problems
from attnfocus.tasks.translation import no_words_to_replace
from attnfocus.training import resolve_device

# Any small sizes: enough to find out whether a model can be built from its options.
_TRIAL_SIZES: Mapping[str, Mapping[str, int | None]] = {
    "translation": {"source_vocab_size": 8, "target_vocab_size": 8},
    "classification": {"vocab_size": 8, "input_dim": None, "num_classes": 2},
}


@dataclass(frozen=True)
class Setup:
    """A configuration that has passed every check that needs no data."""

    config: TrainConfig
    data_options: DatasetOptions
    source: Source
    model: Callable[..., nn.Module]
    optimizer: Callable[..., torch.optim.Optimizer]
    scheduler: Callable[..., Any]
    task_class: type[Task]
    device: torch.device
    embedding: EmbeddingOptions

    @property
    def data_dir(self) -> Path:
        return Path(self.config.paths.data).expanduser() if self.config.paths.data else default_data_dir()

    @property
    def name(self) -> str:
        """Model, attention and dataset as they were chosen: part of the run directory's name."""
        return "_".join(self.config.choices.get(group, "own") for group in ("model", "attention", "dataset"))

    def trial_model(self) -> nn.Module:
        """The model in small sizes without numbers: what can be asked before there are data."""
        return _without_numbers(self.model, self.data_options.task)

    def task(self, codec: Any) -> Task:
        trainer = self.config.trainer
        return self.task_class(
            codec,
            loss=trainer.loss,
            label_smoothing=trainer.label_smoothing,
            word_dropout=trainer.word_dropout,
            r_drop=trainer.r_drop,
            regularization=self.config.focus,
        )


def check_train(values: Mapping[str, Any], trusted: Sequence[str] = ()) -> Setup:
    """Checks everything that can be checked before data is read.

    Args:
        values: the configuration.
        trusted: packages, besides our own, whose classes it may name.

    Raises:
        ConfigError: every problem at once.
    """
    checker = Checker(trusted)
    config, parts = check_sections(checker, values, TRAIN_SECTIONS)
    data_options, source_node = parts["dataset"]
    embedding = parts["model.embedding"].options
    if config is None or data_options is None or source_node is None or checker.problems:
        raise ConfigError(checker.problems)
    return _assemble(config, data_options, source_node, embedding, checker)


def check_trusted(values: Mapping[str, Any]) -> Setup:
    """`check_train` of a configuration that says itself which packages are trusted: one of the command line."""
    return check_train(values, values.get("trust", ()))


def _assemble(
    config: TrainConfig,
    data_options: Any,
    source_node: Mapping[str, Any],
    embedding: EmbeddingOptions,
    checker: Checker,
) -> Setup:
    """Builds all that needs no data; what refuses its options is noted, not raised one by one."""
    problems: list[str] = []
    trusted = checker.trusted

    def attempt(key: str, build: Callable[[], Any]) -> Any:
        try:
            return build()
        except ConfigError as error:
            problems.extend(error.problems)
        except UserError:
            raise
        except ValueError as error:
            problems.append(f"{key}: {error}")
        return None

    attention = make_factory(config.attention, trusted)
    model: Callable[..., nn.Module] = partial(make_factory({**config.model}, trusted), attention=attention)
    optimizer = make_factory(config.optimizer, trusted)
    scheduler = make_factory(config.scheduler, trusted)
    source = attempt("dataset", make_factory(source_node, trusted))
    device = attempt("device", lambda: resolve_device(config.device))
    task_class = TASKS[data_options.task]
    model_class: Any = find_target("model._target_", config.model["_target_"], trusted)
    serves = getattr(model_class, "tasks", ())
    if data_options.task not in serves:
        problems.append(_cannot_serve(config.choices, serves, data_options.task))
    else:
        trial = attempt("model", lambda: _without_numbers(model, data_options.task))
        if trial is not None:
            attempt("optimizer", lambda: optimizer(list(trial.parameters())))
            if device is not None:
                attempt("attention", lambda: _require_paths(trial, device))
            kind = data_options.tokenizer.kind
            problems += regularizer_problems(config.focus, data_options.task, kind, trial)
            if config.focus.sigma_reparametrization:
                attempt("focus.sigma_reparametrization", lambda: sigma_reparametrize(trial))
    attempt("trainer.loss", lambda: task_class(None, loss=config.trainer.loss, r_drop=config.trainer.r_drop))
    if config.trainer.r_drop and not (config.trainer.word_dropout or _drops(config.model, config.attention)):
        problems.append(
            "trainer.r_drop: compares two passes that dropout makes different, and there is no dropout. "
            "Set model.dropout or attention.dropout, or trainer.r_drop=0."
        )
    monitor = config.trainer.monitor
    if monitor is not None and monitor not in task_class.directions:
        problems.append(f"trainer.monitor: must be one of {', '.join(task_class.directions)}, got {monitor}.")
    if config.model.get("tied_embeddings") == "all" and not data_options.tokenizer.shared:
        problems.append(
            "model.tied_embeddings: all puts source and target tokens in one table, and with "
            "dataset.tokenizer.shared=false a number means another token on each side. "
            "Set dataset.tokenizer.shared=true, or model.tied_embeddings=decoder."
        )
    problems += _decoding_problems(config.decoding, data_options)
    if problems:
        raise ConfigError(problems)
    if config.focus.sigma_reparametrization:
        model = partial(_reparametrized, model)
    return Setup(config, data_options, source, model, optimizer, scheduler, task_class, device, embedding)


def _decoding_problems(decoding: DecodingOptions, data_options: DatasetOptions) -> list[str]:
    """What of the decoding does not fit the data."""
    if data_options.task == "translation":
        problem = no_words_to_replace(data_options.tokenizer.kind) if decoding.replace_unknown else None
        return [] if problem is None else [problem]
    if decoding.num_best > 1:
        return [f"decoding.num_best: {data_options.task} has one answer per input, got {decoding.num_best}. Use 1."]
    return []


def _require_paths(model: nn.Module, device: torch.device) -> None:
    """Refuses a path that the device does not have.

    Raises:
        ValueError: the path, the reason, and what works.
    """
    for module in model.modules():
        if isinstance(module, BaseAttention):
            module.chosen_path(Call(device=device.type))


def _drops(*nodes: Mapping[str, Any]) -> bool:
    """Whether a rate of dropout is above 0; also when no option is called so, as in a model of the user's own."""
    rates = [value for node in nodes for name, value in node.items() if name.endswith("dropout")]
    return not rates or any(rates)


def _without_numbers(model: Callable[..., nn.Module], task: str) -> nn.Module:
    """The model in small sizes on the meta device."""
    with without_numbers():
        return model(**_TRIAL_SIZES[task])


def _reparametrized(model: Callable[..., nn.Module], **sizes: Any) -> nn.Module:
    built = model(**sizes)
    sigma_reparametrize(built)
    return built


def _cannot_serve(choices: Mapping[str, str], serves: Sequence[str], task: str) -> str:
    models = [name for name, tasks in _tasks_of_models().items() if task in tasks]
    return (
        f"model: {choices.get('model', 'this model')} does {' and '.join(serves) or 'no task'}, but dataset "
        f"{choices.get('dataset', '')} is for {task}. Models that can: {', '.join(models)}."
    )


def _tasks_of_models() -> dict[str, Sequence[str]]:
    """The shipped choices of `model=`, and what each serves."""
    found: dict[str, Sequence[str]] = {}
    for name, path in groups([shipped_folder()])["model"].items():
        target = load_yaml(path)["model"]["_target_"]
        found[name] = getattr(find_target("_target_", target), "tasks", ())
    return found
