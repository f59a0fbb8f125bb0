"""Tasks: what a batch means. The loss as (sum, count), the metrics of a split, the predictions."""

from collections.abc import Mapping
from types import MappingProxyType

from attnfocus.tasks.attribution import METHODS, Attribution, AttributionOptions, attribute
from attnfocus.tasks.base import Candidate, Direction, Evaluation, Loss, Prediction, StepOutput, Task
from attnfocus.tasks.classification import ClassificationTask
from attnfocus.tasks.faithfulness import Faithfulness, measure_faithfulness
from attnfocus.tasks.inspected import FocusMap, Inspected
from attnfocus.tasks.translation import TranslationTask

# By name. Each is built as `task(codec, loss=..., label_smoothing=...)`.
TASKS: Mapping[str, type[Task]] = MappingProxyType({task.name: task for task in (TranslationTask, ClassificationTask)})

__all__ = [
    "METHODS",
    "TASKS",
    "Attribution",
    "AttributionOptions",
    "Candidate",
    "ClassificationTask",
    "Direction",
    "Evaluation",
    "Faithfulness",
    "FocusMap",
    "Inspected",
    "Loss",
    "Prediction",
    "StepOutput",
    "Task",
    "TranslationTask",
    "attribute",
    "measure_faithfulness",
]
