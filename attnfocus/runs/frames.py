"""Results as tables of pandas, which is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attnfocus.errors import ConfigError
from attnfocus.layout import METRICS_FILE
from attnfocus.runs.run import Run
from attnfocus.tasks import Evaluation, Prediction
from attnfocus.tracking.metrics_file import logged_lines

if TYPE_CHECKING:
    import pandas


def to_pandas(results: Run | Evaluation | Prediction | Iterable[Prediction]) -> pandas.DataFrame:
    """A result as a `pandas.DataFrame`.

    Args:
        results: a run: a row for each line of its metrics.jsonl (step, epoch, split, seconds, and the metrics). An
            evaluation, or predictions: a row for each, with id, source, prediction, target and probability, and for
            classes the probability of each (`p(LABEL)`).

    Raises:
        ConfigError: pandas is not installed.
        CheckpointError: the run's metrics.jsonl is damaged.
    """
    try:
        import pandas
    except ImportError:
        raise ConfigError("to_pandas: needs pandas, which is not installed: pip install pandas.") from None
    if isinstance(results, Run):
        return pandas.DataFrame(logged_lines(results.path / METRICS_FILE))
    if isinstance(results, Prediction):
        results = [results]
    rows = results.predictions if isinstance(results, Evaluation) else results
    return pandas.DataFrame([_row(prediction) for prediction in rows])


def _row(prediction: Prediction) -> Mapping[str, Any]:
    facts: dict[str, Any] = {
        "id": prediction.id,
        "source": prediction.source,
        "prediction": prediction.text,
        "target": prediction.target,
        "probability": prediction.probability,
        "unknown": prediction.unknown,
        "skipped": prediction.skipped,
    }
    return {**facts, **{f"p({label})": share for label, share in prediction.probabilities.items()}}
