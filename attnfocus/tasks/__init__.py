"""Tasks: what a batch means. The loss as (sum, count), the metrics of a split, the predictions."""

from collections.abc import Mapping
from types import MappingProxyType

from attnfocus.tasks.answers import Candidate, Evaluation, FocusMap, Inspected, Prediction
from attnfocus.tasks.base import Loss, StepOutput, Task
from attnfocus.tasks.classification import ClassificationTask
from attnfocus.tasks.translation import TranslationTask

# By name. Each is built as `task(codec, loss=..., label_smoothing=...)`.
TASKS: Mapping[str, type[Task]] = MappingProxyType({task.name: task for task in (TranslationTask, ClassificationTask)})

__all__ = [
    "TASKS",
    "Candidate",
    "ClassificationTask",
    "Evaluation",
    "FocusMap",
    "Inspected",
    "Loss",
    "Prediction",
    "StepOutput",
    "Task",
    "TranslationTask",
]
