"""`baseline=linear`: what a linear model on words and characters, or on figures of signals, makes of the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.preparation import Prepared
from attnfocus.data.rows import Row
from attnfocus.display.text import number
from attnfocus.errors import ConfigError
from attnfocus.runs.assembly import Setup

C_VALUES = (1.0, 10.0, 100.0)  # inverse strengths of the L2 penalty
USUAL_C = 10.0  # where no split can choose
SIGNAL_C_VALUES, SIGNAL_C = (0.01, 0.1, 1.0), 0.1  # of a few figures of each channel, often more than there are rows
MAX_TEXT = 2_000  # characters of a text that are read
MAX_CHARACTERS = 10_000_000  # of all training texts together: some 15 seconds to count their n-grams
MAX_WORK = 50_000_000  # characters times classes: about a minute on one core for the three fits


def check_baseline(setup: Setup) -> None:
    """Refuses, before data are read, a baseline that cannot be fitted.

    Raises:
        ConfigError: the task has no classes, or scikit-learn is not installed.
    """
    if setup.config.baseline is None:
        return
    if not setup.task_class.has_classes:
        raise ConfigError(
            "baseline=linear: is a classifier of texts and signals, and the dataset is for "
            f"{setup.task_class.name}. Use null."
        )
    if find_spec("sklearn") is None:
        raise ConfigError(
            "baseline=linear: needs scikit-learn, which is not installed: pip install 'attnfocus[baseline]'. "
            "Or use baseline=null."
        )


def require_texts(setup: Setup, prepared: Prepared) -> None:
    """Refuses rows that are neither texts nor signals.

    Raises:
        ConfigError: they are.
    """
    kind = prepared.codec.input_kind
    if setup.config.baseline is not None and kind not in ("text", "signal"):
        raise ConfigError(f"baseline=linear: is for texts and signals, and this set holds {kind}. Use null.")


@dataclass(frozen=True)
class LinearModel:
    """Logistic regression, one class against all others, on tf-idf of 1-2-grams of words and 1-4-grams of characters;
    of signals on mean, deviation, least, largest and slope of each channel, each standardized.

    Attributes:
        c: the inverse strength of its L2 penalty.
        num_rows: that it was fitted on.
        features: texts, or figures of signals -> a matrix.
        classifier: of scikit-learn.
    """

    c: float
    num_rows: int
    features: Any
    classifier: Any

    def accuracy(self, rows: Sequence[Row]) -> float:
        """The share of the rows, one at least, whose label it gives."""
        answers = self.classifier.predict(self.features.transform(_inputs(rows)))
        return sum(answer == row.target for answer, row in zip(answers, rows, strict=True)) / len(rows)


def fit_linear(
    train: Sequence[Row], valid: Sequence[Row], announce: Callable[[str], object] = lambda line: None
) -> LinearModel:
    """The linear model of the training rows whose C of 1, 10, 100 (of signals 0.01, 0.1, 1) has the best accuracy on
    valid; of equals the least.

    Of a large set some rows, drawn at random, are enough for what it is to be compared with: see `MAX_WORK`.

    Args:
        valid: may be empty; C is then 10, of signals 0.1.
        announce: shows a line for each fit.
    """
    is_signal = not isinstance(train[0].input, str)
    rows = train if is_signal else some_rows(train)
    features = _scaler() if is_signal else _counter()
    what = "mean, deviation, least, largest and slope of each channel" if is_signal else "counting words and characters"
    announce(f"linear baseline: {what} of {len(rows):,} of {len(train):,} training rows")
    values, usual = (SIGNAL_C_VALUES, SIGNAL_C) if is_signal else (C_VALUES, USUAL_C)
    return _best(rows, valid, features, values if valid else (usual,), announce)


def _best(
    rows: Sequence[Row],
    valid: Sequence[Row],
    features: Any,
    values: Sequence[float],
    announce: Callable[[str], object],
) -> LinearModel:
    """The model of the C among `values` that is best on valid."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    inputs, labels = features.fit_transform(_inputs(rows)), [row.target for row in rows]
    best, best_share = None, -1.0
    for c in values:
        regression = LogisticRegression(C=c, solver="liblinear", dual=True, tol=0.1, random_state=0)
        model = LinearModel(c, len(rows), features, OneVsRestClassifier(regression).fit(inputs, labels))
        share = model.accuracy(valid) if valid else 0.0
        if valid:
            announce(f"linear baseline: C {c:g}, valid accuracy {number(share)}")
        if share > best_share:
            best, best_share = model, share
    assert best is not None
    return best


def _counter() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", sublinear_tf=True)
    return make_union(words, TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True))


def _scaler() -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


def some_rows(rows: Sequence[Row]) -> Sequence[Row]:
    """All rows, or as many of them, drawn at random, as can be fitted in about a minute; every label keeps one."""
    num_classes = len({row.target for row in rows})
    work = MAX_WORK // (num_classes if num_classes > 2 else 1)
    limit, used = min(MAX_CHARACTERS, work), 0
    if sum(min(len(row.input), MAX_TEXT) for row in rows) <= limit:
        return rows
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    seen, kept = set[str](), list[int]()
    for place in order:
        length = min(len(rows[place].input), MAX_TEXT)
        if used + length <= limit or rows[place].target not in seen:
            kept.append(place)
            seen.add(rows[place].target)
            used += length
    return [rows[place] for place in sorted(kept)]


def linear_baseline(prepared: Prepared, announce: Callable[[str], object]) -> dict[str, Any]:
    """Fits the model on the run's own training rows and measures it on the splits that the run is measured on."""
    began = time.perf_counter()
    splits = {name: examples.rows for name, examples in prepared.splits.items()}
    model = fit_linear(splits["train"], splits.get("valid", ()), announce)
    measured = {name: model.accuracy(rows) for name, rows in splits.items() if name != "train"}
    facts = {"name": "linear", "c": model.c, "rows": model.num_rows, "of_rows": len(splits["train"])}
    return {**facts, "seconds": round(time.perf_counter() - began, 1), "accuracy": measured}


def _inputs(rows: Sequence[Row]) -> Any:
    """Texts, cut where they are long; or the figures of signals (N, 5 * channels)."""
    if isinstance(rows[0].input, str):
        return [str(row.input)[:MAX_TEXT] for row in rows]
    return np.stack([_figures(np.asarray(row.input, dtype=np.float64).reshape(len(row.input), -1)) for row in rows])


def _figures(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, deviation, least, largest and slope, by the whole length, of each channel of (samples, channels)."""
    times = np.linspace(-0.5, 0.5, len(samples))
    slope = times @ samples / max(float(times @ times), 1e-12)
    return np.concatenate([samples.mean(0), samples.std(0), samples.min(0), samples.max(0), slope])
