"""The `dataset` section, checked: its source, its task, and what reads its rows."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attnfocus.config.check import Checker, Shared
from attnfocus.config.nearest import did_you_mean
from attnfocus.config.targets import find_target
from attnfocus.data.codecs.base import Codec
from attnfocus.data.preparation import CodecChoice, DatasetOptions
from attnfocus.data.rows import Source
from attnfocus.errors import ConfigError, Problem
from attnfocus.focus.regularizer_options import OfWeights, Regularization
from attnfocus.models.base import LanguageModel, Model
from attnfocus.signatures import parameters_of
from attnfocus.tasks import TASKS, Task
from attnfocus.training.options import TrainerOptions


@dataclass(frozen=True)
class CheckedDataset:
    """A section whose keys and values are sound.

    Attributes:
        source: the node of the source, for `make_factory`.
    """

    options: DatasetOptions
    source: Mapping[str, Any]
    task_class: type[Task]
    codecs: CodecChoice

    def for_task(self, source: Source) -> Source:
        """The source with rows for the section's task, where it can read them so; else as it is."""
        offered = getattr(source, "for_task", None) if source.task in self.task_class.source_tasks else None
        return source if offered is None else offered(self.task_class.name)

    def task_problem(self, source: Source) -> str | None:
        """What is wrong if the source's rows are for another task than the section says."""
        if source.task == self.task_class.name:
            return None
        return f"dataset.task={self.options.task}: this set is for {source.task}. Set dataset.task={source.task}."

    def codec_problems(self) -> list[str | Problem]:
        """Options that make no sense for a codec that the section names."""
        given = self.options.clean, self.options.split, self.options.tokenizer
        return self.codecs.classes[0].option_problems(*given) if self.codecs.is_own else []


def check_dataset(section: Shared, checker: Checker) -> CheckedDataset | None:
    """What the section says; None after noting in the checker why it cannot be used."""
    source, options = section
    if options is None or source is None:
        return None
    try:
        task_class = task_class_of("dataset.task", options.task, checker.trusted)
        codecs = _codecs(options.codec, task_class, checker)
    except ConfigError as error:
        checker.problems.extend(error.problems)
        return None
    return CheckedDataset(options, source, task_class, codecs)


def packing_problems(trainer: TrainerOptions, model: type[Model] | None, task: type[Task]) -> list[Problem]:
    """Why texts cannot be packed, from what is known before the data."""
    if not trainer.packing or model is None:
        return []
    if not issubclass(task, TASKS["language_modeling"]):
        reason = "is for language models"
    elif not getattr(model, "takes_documents", False):
        reason = f"{model.__name__} reads one text a row"
    elif trainer.compile:
        reason = "lays out each batch anew, and trainer.compile=true would compile the model for each"
    else:
        return []
    text = f"trainer.packing: {reason}. Use trainer.packing=false."
    return [Problem(text, "trainer.packing", ["trainer.packing=false"])]


def length_problems(model: Model, codecs: CodecChoice) -> list[Problem]:
    """Examples that are longer than what the model reads, where that is known before there are data."""
    longest = codecs.classes[0].longest_input(codecs.options) if codecs.is_own else None
    most = model.max_input_length
    if longest is None or most is None or longest <= most:
        return []
    context = codecs.options.get("context", 0)
    window = longest - context
    name, given, fitting = ("window", window, most) if window > most else ("context", context, most - window)
    key = f"dataset.codec.{name}"
    of_both = f", and context and window have {longest}" if context else ""
    text = (
        f"{key}={given}: the model reads at most {most} tokens{of_both}. Set model.max_length={longest} where its "
        f"positions are learned, or {key}={fitting}."
    )
    return [Problem(text, key, [f"{key}={fitting}"])]


def context_problems(codecs: CodecChoice, model: type[Model] | None, focus: Regularization) -> list[Problem]:
    """Why windows cannot have a context, from what is known before the data."""
    context = codecs.options.get("context", 0) if codecs.is_own else 0
    if not context or model is None or not issubclass(model, LanguageModel):
        return []
    reason = None
    if "num_context" not in inspect.signature(model.forward).parameters:
        reason = f"{model.__name__}.forward does not take num_context"
    elif any(isinstance(term, OfWeights) for term in focus.terms.values()):
        reason = "what focus adds to the loss looks at the weights of whole texts, and a context has no gradient"
    if reason is None:
        return []
    text = f"dataset.codec.context={context}: {reason}. Use dataset.codec.context=0."
    return [Problem(text, "dataset.codec.context", ["dataset.codec.context=0"])]


def task_class_of(key: str, name: str, trusted: tuple[str, ...] = ()) -> type[Task]:
    """The task that a name means: one of ours, or a class of a package that the user trusts.

    Raises:
        ConfigError: there is no such task, or it lies in no trusted package.
    """
    if name in TASKS:
        return TASKS[name]
    if "." not in name:
        raise ConfigError(
            f"{key}: must be one of {', '.join(TASKS)}, or the dotted name of a class of your own, got {name!r}."
            f"{did_you_mean(name, TASKS)}"
        )
    task_class: Any = find_target(key, name, trusted)
    if not (inspect.isclass(task_class) and issubclass(task_class, Task)):
        raise ConfigError(f"{key}: {name} is no task. Derive it from attnfocus.tasks.Task.")
    return task_class


def _codecs(node: object, task_class: type[Task], checker: Checker) -> CodecChoice:
    """The codecs of the task, or the one of the user's own with its options, which are keywords of its `learn`."""
    if node is None:
        return CodecChoice(task_class.codecs)
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise ConfigError("dataset.codec: needs the _target_ of a class that derives from attnfocus.data.Codec.")
    codec: Any = find_target("dataset.codec._target_", node["_target_"], checker.trusted)
    if not (inspect.isclass(codec) and issubclass(codec, Codec)):
        raise ConfigError(f"dataset.codec._target_: {node['_target_']} does not derive from attnfocus.data.Codec.")
    codec = codec.for_task(task_class.name)
    given = {name: value for name, value in node.items() if name != "_target_"}
    own = {
        name: parameter
        for name, parameter in parameters_of(codec.learn).items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    checker.unknown("dataset.codec", given, list(own), codec.__name__)
    options = {
        name: checker.value(f"dataset.codec.{name}", value, own[name].annotation)
        for name, value in given.items()
        if name in own
    }
    return CodecChoice([codec], options, is_own=True)
