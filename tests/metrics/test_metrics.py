"""The metrics that come with the package, against other libraries and by hand; and what any metric may give."""

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from sacrebleu.metrics.ter import TER
from sklearn.metrics import matthews_corrcoef
from torchmetrics.functional.classification import multiclass_calibration_error

from attnfocus.config.targets import make_factory
from attnfocus.errors import ConfigError
from attnfocus.metrics import Answer, CalibrationError, MatthewsCorrelation, Metric, TranslationEditRate, WordErrorRate
from attnfocus.metrics.base import measured, metric_problems
from attnfocus.tasks import Prediction

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "metric").glob("*.yaml"))


def answers(texts: Sequence[str], targets: Sequence[str], scores: Sequence[float] | None = None) -> list[Prediction]:
    scores = scores or [-0.1] * len(texts)
    lines = zip(texts, targets, scores, strict=True)
    return [Prediction(str(number), text, score, target=target) for number, (text, target, score) in enumerate(lines)]


@pytest.mark.parametrize("seed", range(5))
def test_mcc_is_that_of_scikit_learn(seed: int) -> None:
    draw = random.Random(seed)
    labels = [draw.choice("abc") for _ in range(40)]
    given = [label if draw.random() < 0.6 else draw.choice("abcd") for label in labels]
    assert MatthewsCorrelation()(answers(given, labels)) == pytest.approx(matthews_corrcoef(labels, given), abs=1e-12)


def test_mcc_of_a_single_class_is_chance() -> None:
    assert MatthewsCorrelation()(answers(["a", "a"], ["a", "b"])) == 0.0
    assert MatthewsCorrelation()(answers(["a", "b"], ["a", "b"])) == 1.0


@pytest.mark.parametrize("num_bins", [1, 4, 15])
def test_ece_is_that_of_torchmetrics(num_bins: int) -> None:
    logits = torch.randn(200, 5, generator=torch.Generator().manual_seed(num_bins), dtype=torch.float64) * 2
    labels = torch.randint(5, (200,), generator=torch.Generator().manual_seed(9))
    expected = multiclass_calibration_error(logits.softmax(-1), labels, 5, n_bins=num_bins, norm="l1")
    best = logits.log_softmax(-1).max(-1)
    given = answers([str(i) for i in best.indices.tolist()], [str(i) for i in labels.tolist()], best.values.tolist())
    assert CalibrationError(num_bins)(given) == pytest.approx(float(expected), abs=1e-6)


def test_ece_by_hand() -> None:
    """Two bins: 0.4 (wrong); 0.9 (right) and 0.7 (wrong), of mean 0.8 with half right: (1 * 0.4 + 2 * 0.3) / 3."""
    given = answers(["a", "a", "a"], ["b", "a", "b"], [math.log(p) for p in (0.4, 0.9, 0.7)])
    assert CalibrationError(num_bins=2)(given) == pytest.approx(1 / 3)
    sure = answers(["a"], ["a"], [0.0])  # of probability 1, the upper edge
    assert CalibrationError()(sure) == 0.0
    none = Prediction("0", "", math.nan, target="a", skipped="empty input")
    assert CalibrationError(num_bins=2)([*given, none]) == pytest.approx(1 / 4)


def test_ter_is_that_of_sacrebleu_and_takes_chinese_by_characters() -> None:
    outputs, references = ["The cat sat", "a b c"], ["the cat sat down", "a c b"]
    expected = TER().corpus_score(outputs, [references]).score
    assert TranslationEditRate()(answers(outputs, references)) == expected
    assert TranslationEditRate(case_sensitive=True)(answers(outputs, references)) > expected
    chinese = answers(["我爱北京"], ["我爱南京"])
    assert TranslationEditRate()(chinese) == 100.0
    assert TranslationEditRate(normalized=True)(chinese) == 25.0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_choice_names_a_metric_below_its_own_name(path: Path) -> None:
    ((name, node),) = yaml.safe_load(path.read_text(encoding="utf-8")).items()
    metric = make_factory(node)()
    assert name == path.stem
    assert list(metric.directions) == [name]
    assert metric_problems({name: metric}, metric.tasks[0], {}) == []


class Given(Metric):
    def __init__(self, value: Any, directions: Any = None) -> None:
        self.value, self.directions = value, directions or {"x": "max"}

    def __call__(self, answers: Sequence[Answer]) -> float | Mapping[str, float]:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def test_a_metric_gives_one_number_or_several_by_name() -> None:
    several = Given({"x": 1, "y/z": torch.tensor(0.5)}, {"x": "max", "y/z": "min", "sometimes": "min"})
    assert measured({"a": several, "b": Given(2, {"w": "max"})}, []) == {"x": 1.0, "y/z": 0.5, "w": 2.0}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (ValueError("no targets"), r"metric.mine: Given failed on 1 answers \(ValueError: no targets\)"),
        (ZeroDivisionError(), "metric.mine: Given failed on 1 answers .ZeroDivisionError"),
        ({"y": 1.0}, "it gave y, which its directions do not name"),
        ("much", "metric.mine: .*could not convert"),
    ],
)
def test_what_a_metric_raises_is_an_error_that_names_it(value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        measured({"mine": Given(value)}, answers(["a"], ["a"]))


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (object(), "object is no attnfocus.metrics.Metric"),
        (Given(1, {"bleu": "max"}), "bleu is a metric of the task translation already"),
        (Given(1, {"focus/x": "max"}), "cannot be the name"),
        (Given(1, {"a b": "max"}), "cannot be the name"),
        (Given(1, {"x": "up"}), "must be max or min, got 'up'"),
        (MatthewsCorrelation(), "is for classification, and the dataset is for translation"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_runs(metric: Any, said: str) -> None:
    (problem,) = metric_problems({"mine": metric}, "translation", {"bleu": "max"})
    assert problem.startswith("metric.mine: ")
    assert said in problem


def test_two_metrics_of_one_name_are_refused() -> None:
    (problem,) = metric_problems({"a": Given(1), "b": Given(2)}, "translation", {})
    assert problem == "metric.b: x is a metric of metric.a already. Give it another name."


def test_word_error_rate_by_hand():
    outputs, references = ["3 1 4", "2 2", "", "5 6 7"], ["3 1 4", "2", "9 9", "5 7"]
    assert WordErrorRate()(answers(outputs, references)) == pytest.approx((0 + 1 + 2 + 1) / 8)
