"""From the configuration to objects: the one place where data, model, attention and task meet."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from attnfocus.attention import BaseAttention, Call
from attnfocus.config.check import Checker
from attnfocus.config.folder import groups, shipped_folder
from attnfocus.config.nearest import nearest, wrong_name
from attnfocus.config.targets import find_target, is_component, make_factory
from attnfocus.config.yaml_files import read_yaml
from attnfocus.data.cache.folder import GB, CacheFolder
from attnfocus.data.codecs.base import Codec
from attnfocus.data.preparation import CodecChoice, DatasetOptions
from attnfocus.data.reading.download import default_data_dir
from attnfocus.data.rows import Row, Source
from attnfocus.errors import ConfigError, Problem, UserError
from attnfocus.events import Direction
from attnfocus.focus import sigma_reparametrize
from attnfocus.metrics.base import Metric, directions_of, metric_problems
from attnfocus.models.base import Model
from attnfocus.runs.dataset import CheckedDataset, check_dataset, context_problems, length_problems, packing_problems
from attnfocus.runs.layer_words import name_layers
from attnfocus.runs.schema import NAMING_GROUPS, EmbeddingOptions, Paths, TrainConfig
from attnfocus.runs.token_tables import add_ngrams, require_ngrams
from attnfocus.runs.trial import on_grid, plane_problems, reparametrized, trial_model, without_numbers
from attnfocus.tasks import Task
from attnfocus.tasks.next_item_losses import WITH_NEGATIVES
from attnfocus.tasks.regularizers import regularizer_problems
from attnfocus.training import resolve_device
from attnfocus.training.checkpoints.tensors import saved_tensors

MAX_WORD = 80  # characters of a choice in the name of a run
_NOT_IN_NAMES = re.compile(r"[^\w.+=-]+")


@dataclass(frozen=True)
class Setup:
    """A configuration that has passed every check that needs no data."""

    config: TrainConfig
    data_options: DatasetOptions
    source: Source
    codecs: CodecChoice
    model: Callable[..., Model]
    optimizer: Callable[..., torch.optim.Optimizer]
    scheduler: Callable[..., Any]
    task_class: type[Task]
    device: torch.device
    embedding: EmbeddingOptions
    metrics: Mapping[str, Metric]
    trackers: Mapping[str, Callable[[], Any]]

    @property
    def directions(self) -> dict[str, Direction]:
        """The metrics that can be monitored, and which way each is better."""
        return {**self.task_class.directions, **directions_of(self.metrics)}

    @property
    def data_dir(self) -> Path:
        return folder_of_data(self.config.paths)

    @property
    def name(self) -> str:
        """Model, attention and dataset as they were chosen: part of the run directory's name.

        A stack of attentions `local*5,rotary` is `localx5+rotary` there.
        """
        words = (self.config.choices.get(group, "own") for group in NAMING_GROUPS)
        plain = (word.replace(")*", "-x").replace("*", "x").replace(",", "+").replace(")", "") for word in words)
        return "_".join(_NOT_IN_NAMES.sub("-", word)[:MAX_WORD] for word in plain)

    def trial_model(self) -> Model:
        """The model in small sizes without numbers: what can be asked before there are data."""
        return trial_model(self.model, self.task_class, self.codecs)

    def saved_tensors(self, codec: Codec) -> dict[str, Tensor]:
        """The tensors that a checkpoint of this run has, without their numbers: no memory is taken for them."""
        with without_numbers():
            return saved_tensors(self.new_model(codec))

    def new_model(self, codec: Codec) -> Model:
        """The model of a codec's sizes and vocabulary, with new weights."""
        model = on_grid(self.model, codec.grid)(**codec.dims())
        add_ngrams(model.token_tables(), codec.tokenizers(), self.embedding)
        name_layers(model, self.config.choices)
        return model

    def task(self, codec: Any, training_rows: Sequence[Row] = ()) -> Task:
        """The task. `training_rows` weigh the classes where that is asked for: only `step` knows of weights."""
        trainer = self.config.trainer
        own: dict[str, Any] = {}  # what a task of another kind may not know
        if trainer.loss == "focal":
            own["focal_gamma"] = trainer.focal_gamma
        if trainer.loss in WITH_NEGATIVES:
            own["num_negatives"] = trainer.num_negatives
        if trainer.class_weights == "balanced" and training_rows:
            own["class_weights"] = balanced_weights(training_rows, codec.labels)
        if trainer.bleu_tokenizer is not None:
            own["bleu_tokenizer"] = trainer.bleu_tokenizer
        return self.task_class(
            codec,
            loss=trainer.loss,
            label_smoothing=trainer.label_smoothing,
            word_dropout=trainer.word_dropout,
            r_drop=trainer.r_drop,
            regularization=self.config.focus,
            metrics=self.metrics,
            **own,
        )


def folder_of_data(paths: Paths) -> Path:
    """Where the named data sets are."""
    return Path(paths.data).expanduser() if paths.data else default_data_dir()


def cache_of(paths: Paths) -> CacheFolder:
    """Where prepared data are kept."""
    folder = Path(paths.cache).expanduser().absolute() if paths.cache else default_data_dir()
    return CacheFolder(folder / "prepared", int(paths.cache_gb * GB))


def balanced_weights(rows: Sequence[Row], labels: Sequence[str]) -> list[float]:
    """N / (C n_c) for each of C classes, of which n_c of N rows are: all classes weigh alike, a row 1 on average."""
    counts = Counter(row.target for row in rows)
    return [len(rows) / (len(labels) * max(counts[label], 1)) for label in labels]


def check_train(values: Mapping[str, Any], trusted: Sequence[str] = ()) -> Setup:
    """Checks everything that can be checked before data is read.

    Args:
        values: the configuration.
        trusted: packages, besides our own, whose classes it may name.

    Raises:
        ConfigError: every problem at once.
    """
    checker = Checker(trusted)
    config = checker.dataclass("", values, TrainConfig)
    dataset = None if config is None else check_dataset(config.dataset, checker)
    if config is None or dataset is None or checker.problems:
        raise ConfigError(checker.problems)
    return _assemble(config, dataset, checker)


def check_trusted(values: Mapping[str, Any]) -> Setup:
    """`check_train` of a configuration that says itself which packages are trusted: one of the command line."""
    return check_train(values, values.get("trust", ()))


def _assemble(config: TrainConfig, dataset: CheckedDataset, checker: Checker) -> Setup:
    """Builds all that needs no data; what refuses its options is noted, not raised one by one."""
    problems: list[str] = []
    trusted, task_class, data_options = checker.trusted, dataset.task_class, dataset.options
    model_node, embedding = config.model.component, config.model.options.embedding
    codecs = replace(dataset.codecs, patch_size=(model_node.get("input") or {}).get("patch_size"))

    def attempt(key: str, build: Callable[[], Any]) -> Any:
        try:
            return build()
        except ConfigError as error:
            problems.extend(error.problems)
        except UserError:
            raise
        except ValueError as error:
            text = f"{key}: {error}"
            is_known = bool(error.args) and isinstance(error.args[0], Problem)
            problems.append(_in_section(error.args[0], config).reworded(text) if is_known else text)
        except TypeError as error:
            missing = _MISSING.search(str(error))
            if missing is None:
                raise
            problems.append(f"{key}: {missing[1]} needs the option {missing[2]}, which is not there.")
        return None

    attention = make_factory(config.attention, trusted)
    model: Callable[..., Model] = partial(make_factory(model_node, trusted), attention=attention)
    optimizer = make_factory(config.optimizer, trusted)
    scheduler = make_factory(config.scheduler, trusted)
    source = attempt("dataset", make_factory(dataset.source, trusted))
    device = attempt("device", lambda: resolve_device(config.device))
    if source is not None:
        source = dataset.for_task(source)
    of_task = None if source is None else dataset.task_problem(source)
    problems += [] if of_task is None else [of_task]
    model_class = attempt("model", lambda: _model_class("model._target_", model_node["_target_"], trusted))
    if model_class is not None and task_class.name not in model_class.tasks:
        problems.append(_cannot_serve(config.choices, model_class.tasks, task_class.name))
    elif model_class is not None:
        trial = attempt("model", lambda: trial_model(model, task_class, codecs))
        if trial is not None and attempt("model", trial.places) is not None:
            attempt("optimizer", lambda: optimizer(list(trial.parameters())))
            attempt("model", lambda: require_ngrams(embedding, trial.token_tables()))
            problems += length_problems(trial, codecs)
            problems += plane_problems(trial)
            if device is not None:
                attempt("attention", lambda: _require_paths(trial, device))
            named = task_class.name, data_options.tokenizer.kind
            problems += regularizer_problems(config.focus, *named, trial, writes=task_class.writes)
            if config.focus.sigma_reparametrization:
                attempt("focus.sigma_reparametrization", lambda: sigma_reparametrize(trial))
    given = {name: getattr(config.trainer, name) for name in ("loss", "r_drop", "label_smoothing")}
    attempt("trainer.loss", lambda: task_class(None, **given))
    if config.trainer.bleu_tokenizer is not None and not task_class.writes:
        problems.append(f"trainer.bleu_tokenizer: {task_class.name} writes no texts. Use null.")
    if config.trainer.class_weights is not None and not task_class.has_classes:
        problems.append(
            f"trainer.class_weights={config.trainer.class_weights}: is for classification, and the dataset is for "
            f"{task_class.name}, which has no classes. Use null."
        )
    problems += packing_problems(config.trainer, model_class, task_class)
    problems += context_problems(dataset.codecs, model_class, config.focus)
    if config.trainer.r_drop and not (
        config.trainer.word_dropout or _drops(model_node, config.attention, *_in_lists(model_node))
    ):
        problems.append(
            "trainer.r_drop: compares two passes that dropout makes different, and there is no dropout. "
            "Set model.dropout or attention.dropout, or trainer.r_drop=0."
        )
    built = {name: attempt(f"metric.{name}", make_factory(node, trusted)) for name, node in config.metric.items()}
    metrics = {name: metric for name, metric in built.items() if metric is not None}
    problems += _metric_problems(metrics, task_class, config.trainer.monitor)
    if model_node.get("tied_embeddings") == "all" and not data_options.tokenizer.shared:
        problems.append(
            "model.tied_embeddings: all puts source and target tokens in one table, and with "
            "dataset.tokenizer.shared=false a number means another token on each side. "
            "Set dataset.tokenizer.shared=true, or model.tied_embeddings=decoder."
        )
    problems += task_class.option_problems(data_options, config.decoding)
    problems += dataset.codec_problems()
    if problems:
        raise ConfigError(problems)
    if config.focus.sigma_reparametrization:
        model = partial(reparametrized, model)
    trackers = {name: make_factory(node, trusted, f"tracker.{name}") for name, node in config.tracker.items()}
    made = (source, codecs, model, optimizer, scheduler, task_class, device, embedding, metrics, trackers)
    return Setup(config, data_options, *made)


# Of Python's own message about a class, an option of which has no default and was not given.
_MISSING = re.compile(r"(\w+)\.__init__\(\) missing \d+ required (?:keyword-only|positional) arguments?: '(\w+)'")


def _model_class(key: str, name: object, trusted: Sequence[str] = ()) -> type[Model]:
    """The class of a model, which keeps the contract of `attnfocus.models.base`.

    Raises:
        ConfigError: it is none.
    """
    found = find_target(key, name, trusted)
    if not isinstance(found, type) or not issubclass(found, Model):
        raise ConfigError(
            f"{key}: {name} is no model. Let its class derive from attnfocus.models.base.Classifier, "
            "Translator or LanguageModel there, which say what a model must do; or from attnfocus.models.base.Model, "
            "for a task of your own."
        )
    return found


def _metric_problems(metrics: Mapping[str, Any], task_class: type[Task], monitor: str | None) -> list[str]:
    """What is wrong with the metrics, or else with the one that is monitored."""
    problems = metric_problems(metrics, task_class.name, task_class.directions)
    if problems or monitor is None:
        return problems
    known = {**task_class.directions, **directions_of(metrics)}
    return [] if monitor in known else [wrong_name("trainer.monitor", monitor, known)]


def _require_paths(model: nn.Module, device: torch.device) -> None:
    """Refuses a path that the device does not have.

    Raises:
        ValueError: the path, the reason, and what works.
    """
    for module in model.modules():
        if isinstance(module, BaseAttention):
            module.chosen_path(Call(device=device.type))


def _in_lists(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The nodes in lists of a node: attentions by layer."""
    return [each for value in node.values() if isinstance(value, list) for each in value if is_component(each)]


def _drops(*nodes: Mapping[str, Any]) -> bool:
    """Whether a rate of dropout is above 0; also when no option is called so, as in a model of the user's own."""
    rates = [value for node in nodes for name, value in node.items() if name.endswith("dropout")]
    return not rates or any(rates)


def _in_section(problem: Problem, config: TrainConfig) -> Problem:
    """The problem with the whole key, where a class knows the name of its option alone; as it was if it is in none."""
    sections = {"attention": config.attention, "model": config.model.component}  # an attention's own counts first
    section = next((name for name, node in sections.items() if node.get(problem.key) is not None), None)
    if "." in problem.key or section is None or problem.instead is None:
        return problem
    return Problem(problem, f"{section}.{problem.key}", [f"{section}.{text}" for text in problem.instead])


def _cannot_serve(choices: Mapping[str, str], serves: Sequence[str], task: str) -> Problem:
    models = [name for name, tasks in _tasks_of_models().items() if task in tasks]
    near = [*nearest(choices.get("model", ""), models, count=1), *reversed(models)]
    text = (
        f"model: {choices.get('model', 'this model')} does {' and '.join(serves) or 'no task'}, but dataset "
        f"{choices.get('dataset', '')} is for {task}. Models that can: {', '.join(models)}."
    )
    return Problem(text, "model", [f"model={near[0]}"] if near else None)


def _tasks_of_models() -> dict[str, Sequence[str]]:
    """The shipped choices of `model=`, and what each serves."""
    found: dict[str, Sequence[str]] = {}
    for name, path in groups([shipped_folder()])["model"].items():
        target = read_yaml(path)["model"]["_target_"]
        found[name] = _model_class("_target_", target).tasks
    return found
