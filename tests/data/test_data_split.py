"""Splits drawn from train: by input, seeded, of the size asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnfocus.data.rows import Row
from attnfocus.data.split import SplitOptions, split_train
from attnfocus.errors import DataError


def make(inputs: list[str]) -> dict[str, list[Row]]:
    return {"train": [Row(str(number), text, f"t{number}") for number, text in enumerate(inputs)]}


@pytest.mark.slow
@given(
    st.lists(st.sampled_from("abcdefghij"), min_size=8, max_size=40).filter(lambda inputs: len(set(inputs)) > 5),
    st.integers(0, 1000),
)
def test_an_input_never_sits_in_two_splits_and_no_row_is_lost(inputs: list[str], seed: int) -> None:
    splits = split_train(make(inputs), SplitOptions(valid=2, test=0.2, seed=seed))
    held = {split: {row.input for row in rows} for split, rows in splits.items()}
    assert not held["train"] & held["valid"]
    assert not held["train"] & held["test"]
    assert not held["valid"] & held["test"]
    assert len(held["valid"]) == 2
    assert len(held["test"]) == max(1, round(0.2 * len(set(inputs))))
    assert sorted(int(row.id) for rows in splits.values() for row in rows) == list(range(len(inputs)))
    for rows in splits.values():
        assert [int(row.id) for row in rows] == sorted(int(row.id) for row in rows)


def test_the_same_seed_gives_the_same_split_and_another_gives_another() -> None:
    raw = make([str(number) for number in range(200)])
    splits = [split_train(raw, SplitOptions(seed=seed)) for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]
    assert {split: len(rows) for split, rows in splits[0].items()} == {"train": 180, "valid": 10, "test": 10}


def test_splits_that_a_set_brings_are_left_alone() -> None:
    raw = make([str(number) for number in range(20)]) | {"test": [Row("x", "x", "y")]}
    splits = split_train(raw, SplitOptions(valid=0.25, test=0.5))
    assert splits["test"] == raw["test"]
    assert len(splits["valid"]) == 5
    assert len(splits["train"]) == 15


def test_a_size_of_zero_makes_no_split() -> None:
    assert set(split_train(make(["a", "b", "c"]), SplitOptions(valid=0, test=1))) == {"train", "test"}


@given(st.integers(5, 60), st.integers(2, 5), st.integers(0, 3))
def test_the_parts_of_a_cross_validation_hold_each_input_once(num_inputs: int, folds: int, seed: int) -> None:
    raw = make([str(number % num_inputs) for number in range(2 * num_inputs)])
    options = SplitOptions(valid=1, test=0.5, seed=seed, folds=folds)
    runs = [split_train(raw, options, run_seed) for run_seed in range(folds)]
    tested = [{row.input for row in splits["test"]} for splits in runs]
    assert sorted(text for part in tested for text in part) == sorted({row.input for row in raw["train"]})
    assert max(map(len, tested)) - min(map(len, tested)) <= 1
    for splits in runs:
        assert len({row.input for row in splits["valid"]}) == 1
        held = [{row.input for row in splits[split]} for split in ("train", "valid", "test")]
        assert sum(map(len, held)) == len(set().union(*held)) == num_inputs
    assert split_train(raw, options, folds + 1) == runs[1]


def test_folds_are_refused_where_a_set_brings_its_test_split() -> None:
    raw = make([str(number) for number in range(20)]) | {"test": [Row("x", "x", "y")]}
    with pytest.raises(DataError, match=r"dataset.split.folds=10: this set brings its own test split"):
        split_train(raw, SplitOptions(folds=10))


def test_more_folds_than_inputs_name_the_keys_and_the_counts() -> None:
    with pytest.raises(DataError, match=r"dataset.split.folds=10: train has 3 different inputs"):
        split_train(make(["a", "b", "c"]), SplitOptions(folds=10))
    with pytest.raises(DataError, match=r"dataset.split.valid=0.05 and dataset.split.folds=2: .* 2 of them would be"):
        split_train(make(["a", "b"]), SplitOptions(folds=2))


def test_too_few_inputs_name_the_keys_and_the_counts() -> None:
    with pytest.raises(DataError) as caught:
        split_train(make(["a", "b", "a", "a"]), SplitOptions())
    assert "dataset.split.test=0.05 and dataset.split.valid=0.05: train has 2 different inputs" in str(caught.value)


def test_a_number_of_inputs_must_be_whole() -> None:
    with pytest.raises(ValueError, match=r"valid=1.5"):
        SplitOptions(valid=1.5)
