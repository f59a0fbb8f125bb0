"""Tasks: what a batch means. The loss as (sum, count), the metrics of a split, the predictions.

Beside the tasks, what one of your own is made of: see docs/tasks.md.
"""

from collections.abc import Mapping
from types import MappingProxyType

from attnfocus.tasks.answers import Candidate, Evaluation, FocusMap, Inspected, Prediction
from attnfocus.tasks.base import Loss, StepOutput, Task
from attnfocus.tasks.classification import ClassificationTask
from attnfocus.tasks.evaluation import ExactSums, FirstExamples, Inputs, answer_all, evaluating, in_order, sample_of
from attnfocus.tasks.language_modeling import LanguageModelingTask
from attnfocus.tasks.looks import Look, looks_of
from attnfocus.tasks.maps import attention_map
from attnfocus.tasks.measures.focus import FocusMeans
from attnfocus.tasks.ranking import RankingTask
from attnfocus.tasks.regression import RegressionTask
from attnfocus.tasks.translation import TranslationTask

# By name. Each is built as `task(codec, loss=..., label_smoothing=...)`.
TASKS: Mapping[str, type[Task]] = MappingProxyType(
    {
        task.name: task
        for task in (TranslationTask, ClassificationTask, LanguageModelingTask, RankingTask, RegressionTask)
    }
)

__all__ = [
    "TASKS",
    "Candidate",
    "ClassificationTask",
    "Evaluation",
    "ExactSums",
    "FirstExamples",
    "FocusMap",
    "FocusMeans",
    "Inputs",
    "Inspected",
    "LanguageModelingTask",
    "Look",
    "Loss",
    "Prediction",
    "RankingTask",
    "RegressionTask",
    "StepOutput",
    "Task",
    "TranslationTask",
    "answer_all",
    "attention_map",
    "evaluating",
    "in_order",
    "looks_of",
    "sample_of",
]
