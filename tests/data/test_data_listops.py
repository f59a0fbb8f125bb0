"""ListOps: what comes out is recomputed by Python's own arithmetic, and held against a published set."""

import gzip
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from attnfocus.data import ListOps, Source
from attnfocus.data.sources.listops import value_of
from attnfocus.errors import DataError

SMALL = {"num_train": 1500, "num_valid": 50, "num_test": 50}


def worked_out(text):
    """By Python, of which the text is made an expression."""
    names = {"[MIN": "min((", "[MAX": "max((", "[MED": "median((", "[SM": "digit((", "]": ")),"}
    code = " ".join(names.get(symbol, f"{symbol},") for symbol in text.split()).rstrip(",")
    known = {
        "min": min,
        "max": max,
        "median": lambda values: int(np.median(values)),
        "digit": lambda values: int(np.sum(values)) % 10,
    }
    return eval(code, {"__builtins__": {}}, known)


def depth(text):
    deepest = level = 0
    for symbol in text.split():
        level += symbol.startswith("[") - (symbol == "]")
        deepest = max(deepest, level)
    assert level == 0
    return deepest


@pytest.fixture(scope="module")
def splits():
    return ListOps(**SMALL, test_min_length=60, test_max_length=90).read(Path(), 0).splits


def test_targets_are_what_comes_out(splits):
    for rows in splits.values():
        for row in rows:
            assert int(row.target) == worked_out(row.input)
    assert {row.target for row in splits["train"]} == set("0123456789")


def test_examples_worked_out_by_hand():
    examples = {
        "[MAX 2 [SM 9 3 4 ] 1 ]": 6,  # 16 modulo 10
        "[MIN 4 7 ]": 4,
        "[MED 1 8 4 ]": 4,
        "[MED 3 8 ]": 5,  # 5.5
        "[SM [MED 9 9 0 ] [MAX 1 [MIN 7 5 ] ] ]": 4,  # 9 + 5
    }
    assert {text: value_of(text.split()) for text in examples} == examples


def test_lengths_depth_and_arguments_are_within_their_limits(splits):
    lengths = {split: [len(row.input.split()) for row in rows] for split, rows in splits.items()}
    assert min(lengths["train"]) == min(lengths["valid"]) == 10
    assert max(lengths["train"]) == 50
    assert min(lengths["test"]) >= 60
    assert max(lengths["test"]) <= 90
    shallow = ListOps(**SMALL, max_depth=3, max_args=3, min_length=4, max_length=12).read(Path(), 0).splits["train"]
    assert {depth(row.input) for row in shallow} == {1, 2}  # and the digits, the third level
    assert {len(row.input.split()) for row in shallow} >= {4, 5, 7, 8, 12}
    assert max(depth(row.input) for row in splits["test"]) > 3


def test_operators_and_digits_are_equally_frequent(splits):
    counts = Counter(symbol for row in splits["train"] for symbol in row.input.split())
    operators = [counts[name] for name in ("[MIN", "[MAX", "[MED", "[SM")]
    digits = [counts[str(digit)] for digit in range(10)]
    assert max(operators) < 1.15 * min(operators)
    assert max(digits) < 1.15 * min(digits)
    assert counts["]"] == sum(operators)


def test_rows_are_a_function_of_the_seed_and_the_test_rows_of_none():
    one, again, other = (ListOps(num_train=100, num_valid=20, num_test=20).read(Path(), s).splits for s in (1, 1, 2))
    assert one == again
    assert one["train"] != other["train"]
    assert (one["valid"], one["test"]) == (other["valid"], other["test"])
    assert len({row.id for rows in one.values() for row in rows}) == 140


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_length": 60}, "min_length=60 is above max_length=50"),
        ({"test_max_length": 9}, "test_min_length=10 is above test_max_length=9"),
        ({"max_depth": 2}, "min_length=10: max_depth=2 and max_args=5 make no row as long"),
        ({"max_depth": 2, "min_length": 4, "test_min_length": 8}, "test_min_length=8: max_depth=2"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ListOps(**options)


def test_lengths_that_are_too_rare_are_a_data_error(monkeypatch):
    monkeypatch.setattr("attnfocus.data.sources.listops.TRIES", 50)
    with pytest.raises(DataError, match=r"dataset.min_length=157: of 51 trees with max_depth=4 and max_args=5, 0 have"):
        ListOps(min_length=157, max_length=160, max_depth=4).read(Path(), 0)


def test_it_is_a_source_of_a_classification_task():
    assert isinstance(ListOps(), Source)
    assert ListOps.task == "classification"


def test_the_evaluator_gives_the_targets_of_the_arenas_parameters(real_data):
    """And rows made with them are like those: as long, with the same shares of digits."""
    with gzip.open(real_data("listops") / "listops" / "generated_lra_params_test.tsv.gz", "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    assert all(value_of(text.split()) == int(target) for text, target in rows)
    arena = ListOps(min_length=501, max_length=1999, max_depth=10, max_args=10, num_train=500, num_valid=1, num_test=1)
    ours = arena.read(Path(), 0).splits["train"]
    lengths = [len(text.split()) for text, _ in rows], [len(row.input.split()) for row in ours]
    assert min(lengths[0]) >= 501
    assert max(lengths[0]) <= 1999
    assert statistics.mean(lengths[0]) == pytest.approx(statistics.mean(lengths[1]), rel=0.1)
    shares = Counter(target for _, target in rows)["0"] / len(rows), Counter(row.target for row in ours)["0"] / 500
    assert shares[0] == pytest.approx(shares[1], abs=0.06)
