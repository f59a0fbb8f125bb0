"""Splits by label: of exact size, with the shares of labels, and every label keeps a row in train."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnfocus.data.rows import Row
from attnfocus.data.split import SplitOptions, named_as_read, renamed, split_train
from attnfocus.errors import DataError

Splits = dict[str, list[Row]]


def make(labels: list[str], inputs: list[str] | None = None) -> Splits:
    texts = inputs or [f"text {number}" for number in range(len(labels))]
    rows = zip(texts, labels, strict=True)
    return {"train": [Row(f"train:{number}", text, label) for number, (text, label) in enumerate(rows, 1)]}


def split(raw: Splits, run: int = 0, **options: float) -> Splits:
    return split_train(raw, SplitOptions(**options), run, label=lambda row: row.target)  # type: ignore[arg-type]


def labels_of(rows: list[Row]) -> Counter[str]:
    return Counter(row.target for row in rows)


some_labels = st.lists(st.sampled_from("aaaaaabbbcd"), min_size=12, max_size=60)


@given(some_labels, st.integers(0, 20), st.integers(1, 4), st.integers(0, 4))
def test_sizes_are_exact_shares_are_kept_and_each_label_stays_in_train(
    labels: list[str], seed: int, num_valid: int, num_test: int
) -> None:
    raw = make(labels)
    splits = split(raw, valid=num_valid, test=num_test, seed=seed)
    assert len(splits["valid"]) == num_valid
    assert len(splits.get("test", [])) == num_test
    assert sorted(row.id for rows in splits.values() for row in rows) == sorted(row.id for row in raw["train"])
    assert set(labels_of(splits["train"])) == set(labels)
    for name, size in (("test", num_test), ("valid", num_valid + num_test)):
        drawn = labels_of([*splits.get("test", []), *(splits["valid"] if name == "valid" else [])])
        for label, count in Counter(labels).items():
            share = size * count / len(labels)
            missing = sum(max(0.0, size * other / len(labels) - other + 1) for other in Counter(labels).values())
            assert drawn[label] - share < 1 + missing  # more only where another label is held back in train
            assert drawn[label] > share - 1 or drawn[label] == count - 1
    assert split(raw, valid=num_valid, test=num_test, seed=seed) == splits
    for rows in splits.values():
        assert [row.id for row in rows] == sorted((row.id for row in rows), key=lambda name: int(name[6:]))


@given(some_labels, st.lists(st.integers(0, 30), min_size=60, max_size=60), st.integers(0, 9))
def test_an_input_with_several_labels_sits_in_one_split_and_none_of_its_labels_is_lost(
    labels: list[str], inputs: list[int], seed: int
) -> None:
    raw = make(labels, [str(number) for number in inputs[: len(labels)]])
    try:
        splits = split(raw, valid=1, test=1, seed=seed)
    except DataError:
        assert len(set(inputs[: len(labels)])) < len(set(labels)) + 2
        return
    held = [{row.input for row in splits[name]} for name in ("train", "valid", "test")]
    assert sum(map(len, held)) == len(set().union(*held))
    assert [len(inputs) for inputs in held[1:]] == [1, 1]
    assert set(labels_of(splits["train"])) == set(labels)


@given(some_labels, st.integers(2, 6), st.integers(0, 9))
def test_folds_test_each_row_once_but_those_that_alone_have_their_label(
    labels: list[str], folds: int, seed: int
) -> None:
    raw = make(labels)
    runs = [split(raw, run, valid=1, seed=seed, folds=folds) for run in range(folds)]
    alone = {row.id for row in raw["train"] if Counter(labels)[row.target] == 1}
    tested = [row.id for splits in runs for row in splits["test"]]
    assert sorted(tested) == sorted({row.id for row in raw["train"]} - alone)
    for splits in runs:
        assert set(labels_of(splits["train"])) == set(labels)
        assert len(splits["valid"]) == 1
        for label, count in Counter(labels).items():
            assert abs(labels_of(splits["test"])[label] - (count if count > 1 else 0) / folds) < 1
    assert split(raw, folds + 1, valid=1, seed=seed, folds=folds) == runs[1]


def test_a_rare_label_is_in_valid_and_test_too() -> None:
    labels = ["common"] * 90 + ["rare"] * 10
    random.Random(3).shuffle(labels)
    splits = split(make(labels), valid=0.1, test=0.1)
    for name in ("valid", "test"):
        assert labels_of(splits[name]) == {"common": 9, "rare": 1}


def test_what_cannot_stay_in_train_does_not_stand_for_its_label_there() -> None:
    raw = make(["a"] * 20 + ["b", "b"])
    long = {"train:21"}
    for seed in range(8):
        options = SplitOptions(valid=1, test=9, seed=seed)
        splits = split_train(raw, options, label=lambda row: row.target, may_train=lambda row: row.id not in long)
        assert "train:22" in [row.id for row in splits["train"]]


def test_too_few_rows_to_leave_each_label_one_name_keys_and_counts() -> None:
    with pytest.raises(DataError) as caught:
        split(make(list("abcda")), valid=1, test=1)
    message = str(caught.value)
    assert "dataset.split.test=1 and dataset.split.valid=1: train has 5 different inputs of 4 labels" in message
    assert "each of which keeps one in train" in message


def test_runs_of_before_draw_without_regard_to_labels() -> None:
    """The rows that version 0.1 drew: they are those of its runs."""
    raw = make(["a", "b"] * 10)
    splits = split(raw, valid=2, test=3, stratify=False)
    drawn = random.Random(0).sample([row.input for row in raw["train"]], 5)
    assert {row.input for row in splits["test"]} == set(drawn[:3])
    assert {row.input for row in splits["valid"]} == set(drawn[3:])
    assert splits == split_train(raw, SplitOptions(valid=2, test=3))  # and so are rows without labels


def test_rows_that_were_drawn_are_called_by_their_split() -> None:
    splits = {"train": [Row("train:1", "a", "x")], "test": [Row("train:12", "b", "x"), Row("neg:3", "c", "x")]}
    named = renamed(splits, {"test"})
    assert [row.id for row in named["test"]] == ["test:12", "neg:3"]
    assert named["train"] == splits["train"]
    assert named_as_read(named, {"test"}) == splits
    assert renamed(splits, set()) == splits
