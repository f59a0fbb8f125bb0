"""`baseline=linear`: what a linear model on words and characters reaches on the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from attnfocus.data.preparation import Prepared
from attnfocus.data.rows import Row
from attnfocus.display.text import number
from attnfocus.errors import ConfigError
from attnfocus.runs.assembly import Setup

C_VALUES = (1.0, 10.0, 100.0)  # inverse strengths of the L2 penalty
USUAL_C = 10.0  # where no split can choose
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
            f"baseline=linear: is a classifier of texts, and the dataset is for {setup.task_class.name}. Use null."
        )
    if find_spec("sklearn") is None:
        raise ConfigError(
            "baseline=linear: needs scikit-learn, which is not installed: pip install 'attnfocus[baseline]'. "
            "Or use baseline=null."
        )


def require_texts(setup: Setup, prepared: Prepared) -> None:
    """Refuses rows that are vectors.

    Raises:
        ConfigError: they are.
    """
    if setup.config.baseline is not None and prepared.codec.input_kind != "text":
        raise ConfigError("baseline=linear: counts words and characters, and this set holds vectors. Use null.")


@dataclass(frozen=True)
class LinearModel:
    """Logistic regression, one class against all others, on tf-idf of 1-2-grams of words and 1-4-grams of characters.

    Attributes:
        c: the inverse strength of its L2 penalty.
        num_rows: that it was fitted on.
        features: texts -> a sparse matrix.
        classifier: of scikit-learn.
    """

    c: float
    num_rows: int
    features: Any
    classifier: Any

    def accuracy(self, rows: Sequence[Row]) -> float:
        """The share of the rows, one at least, whose label it gives."""
        answers = self.classifier.predict(self.features.transform(_texts(rows)))
        return sum(answer == row.target for answer, row in zip(answers, rows, strict=True)) / len(rows)


def fit_linear(
    train: Sequence[Row], valid: Sequence[Row], announce: Callable[[str], object] = lambda line: None
) -> LinearModel:
    """The linear model of the training rows whose C of 1, 10, 100 has the best accuracy on valid; of equals the least.

    Of a large set some rows, drawn at random, are enough for what it is to be compared with: see `MAX_WORK`.

    Args:
        valid: may be empty; C is then 10.
        announce: shows a line for each fit.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_union

    rows = some_rows(train)
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
    features = make_union(words, characters)
    announce(f"linear baseline: counting words and characters of {len(rows):,} of {len(train):,} training rows")
    inputs, labels = features.fit_transform(_texts(rows)), [row.target for row in rows]
    best, best_share = None, -1.0
    for c in C_VALUES if valid else (USUAL_C,):
        regression = LogisticRegression(C=c, solver="liblinear", dual=True, tol=0.1, random_state=0)
        model = LinearModel(c, len(rows), features, OneVsRestClassifier(regression).fit(inputs, labels))
        share = model.accuracy(valid) if valid else 0.0
        if valid:
            announce(f"linear baseline: C {c:g}, valid accuracy {number(share)}")
        if share > best_share:
            best, best_share = model, share
    assert best is not None
    return best


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


def _texts(rows: Sequence[Row]) -> list[str]:
    return [str(row.input)[:MAX_TEXT] for row in rows]
