import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attnfocus.data.batches import BatchPlan, collate, example_lengths
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.rows import Row

LENGTHS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=120)
UNITS = st.sampled_from(["sentences", "tokens"])


def pair(number, source, target):
    row = Row(f"r{number}", "x", "y")
    return Encoded(row.id, np.array(source, dtype=np.int64), np.array(target, dtype=np.int64), len(source), row)


def labelled(number, source, label):
    row = Row(f"r{number}", "x", "y")
    return Encoded(row.id, np.array(source), label, 1, row)


def translation_lengths(count, seed=0):
    random = np.random.default_rng(seed)
    source = random.integers(3, 60, count)
    return np.stack([source, np.maximum(3, source + random.integers(-5, 6, count))], axis=1)


def cells(lengths, batch):
    return len(batch) * int(lengths[batch].max(axis=0).sum())


@given(lengths=LENGTHS, size=st.integers(1, 100), unit=UNITS, seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
def test_every_example_is_in_exactly_one_batch(lengths, size, unit, seed, epoch):
    plan = BatchPlan(np.array(lengths).reshape(-1, 2), size, unit, seed)
    for batches in (plan.epoch(epoch), plan.fixed()):
        assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
        assert all(batches)


@given(lengths=LENGTHS, size=st.integers(1, 100), seed=st.integers(0, 100))
def test_batches_never_exceed_their_size_but_for_a_single_long_example(lengths, size, seed):
    array = np.array(lengths).reshape(-1, 2)
    for batch in BatchPlan(array, size, "tokens", seed).epoch(0):
        assert len(batch) == 1 or cells(array, batch) <= size
    for batch in BatchPlan(array, size, "sentences", seed).epoch(0):
        assert len(batch) <= size


@given(lengths=LENGTHS, size=st.integers(1, 50), unit=UNITS, seed=st.integers(0, 100), epoch=st.integers(0, 50))
def test_plan_is_a_pure_function_of_seed_and_epoch(lengths, size, unit, seed, epoch):
    array = np.array(lengths).reshape(-1, 2)
    plan, other = BatchPlan(array, size, unit, seed), BatchPlan(lengths, size, unit, seed)
    plan.epoch(epoch + 1)
    plan.fixed()
    assert plan.epoch(epoch) == other.epoch(epoch)
    assert plan.fixed() == BatchPlan(array, size, unit, seed + 1).fixed()


@pytest.mark.parametrize("unit", ["sentences", "tokens"])
def test_epochs_and_seeds_differ(unit):
    lengths = translation_lengths(500)
    plan = BatchPlan(lengths, 32, unit, 0)
    assert plan.epoch(0) != plan.epoch(1)
    assert plan.epoch(0) != BatchPlan(lengths, 32, unit, 1).epoch(0)
    if unit == "sentences":  # other examples meet, not only the order of the batches changes
        assert {frozenset(batch) for batch in plan.epoch(0)} != {frozenset(batch) for batch in plan.epoch(1)}


def test_at_most_one_batch_of_sentences_is_not_full():
    sizes = [len(batch) for batch in BatchPlan(translation_lengths(20_001), 64, "sentences", 3).epoch(2)]
    assert len(sizes) == 313
    assert sorted(sizes)[1] == 64


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "size"), [("sentences", 64), ("tokens", 4000)])
def test_little_is_padding(unit, size):
    lengths = translation_lengths(20_000)
    plan = BatchPlan(lengths, size, unit, 0)
    for batches in (plan.epoch(0), plan.fixed()):
        assert lengths.sum() / sum(cells(lengths, batch) for batch in batches) > 0.93


def test_a_batch_of_two_source_lengths_holds_targets_of_like_length():
    lengths = np.array([(source, target) for source in (4, 5, 6) for target in range(1, 7)])
    plan = BatchPlan(lengths, 4, "sentences", 0)
    spreads = [np.ptp(lengths[batch, 1]) for batches in (plan.epoch(0), plan.fixed()) for batch in batches]
    assert max(spreads) <= 3  # ascending throughout, targets of 6 would stand beside those of 1


def test_token_batches_are_nearly_full():
    lengths = translation_lengths(20_000)
    filled = [cells(lengths, batch) for batch in BatchPlan(lengths, 4000, "tokens", 0).epoch(0)]
    assert np.mean(filled) > 0.93 * 4000


def test_order_of_batches_does_not_follow_length():
    lengths = translation_lengths(20_000)
    means = [lengths[batch].mean() for batch in BatchPlan(lengths, 64, "sentences", 0).epoch(0)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.2


def test_evaluation_begins_with_the_longest():
    lengths = translation_lengths(1000)
    first, *_, last = BatchPlan(lengths, 50, "sentences", 0).fixed()
    assert lengths[first, 0].min() >= lengths[last, 0].max()


def test_one_sided_lengths_count_one_side():
    plan = BatchPlan([5, 5, 5, 5], 10, "tokens", 0)
    assert sorted(len(batch) for batch in plan.epoch(0)) == [2, 2]
    assert BatchPlan([], 10, "tokens", 0).epoch(0) == []


def test_planning_a_large_set_is_fast():
    lengths = translation_lengths(200_000)
    start = time.process_time()
    BatchPlan(lengths, 64, "sentences", 0).epoch(0)
    BatchPlan(lengths, 4000, "tokens", 0).epoch(0)
    assert time.process_time() - start < 5


def test_hand_worked_translation_batch():
    batch = collate([pair(0, [7, 8, 9], [2, 5, 3]), pair(1, [], [2, 3]), pair(2, [6], [2, 5, 6, 3])])
    assert batch.inputs.tolist() == [[7, 8, 9], [0, 0, 0], [6, 0, 0]]
    assert batch.input_lengths.tolist() == [3, 0, 1]
    assert batch.targets.tolist() == [[2, 5, 3, 0], [2, 3, 0, 0], [2, 5, 6, 3]]
    assert batch.target_lengths.tolist() == [3, 2, 4]
    assert batch.num_targets == 2 + 1 + 3  # every token after BOS
    assert batch.num_words == 4
    assert batch.ids == ("r0", "r1", "r2")
    assert [row.id for row in batch.rows] == ["r0", "r1", "r2"]
    assert batch.inputs.dtype == batch.targets.dtype == batch.input_lengths.dtype == torch.int64
    assert len(batch) == 3


def test_batch_of_labels_and_of_vectors():
    batch = collate([labelled(0, [7, 8], 1), labelled(1, [9], 0)])
    assert batch.targets.tolist() == [1, 0]
    assert batch.target_lengths is None
    assert batch.num_targets == 2
    vectors = collate([labelled(0, [[1.0, 2.0]], 1), labelled(1, [[3.0, 4.0], [5.0, 6.0]], 0)])
    assert vectors.inputs.tolist() == [[[1, 2], [0, 0]], [[3, 4], [5, 6]]]
    assert vectors.inputs.dtype == torch.float32
    assert vectors.input_lengths.tolist() == [1, 2]


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_padding_is_all_that_a_batch_adds(lengths):
    examples = [pair(i, range(4, 4 + n), [2, *range(4, 4 + n), 3]) for i, n in enumerate(lengths)]
    batch = collate(examples)
    for i, example in enumerate(examples):
        n = int(batch.input_lengths[i])
        assert batch.inputs[i, :n].tolist() == list(example.inputs)
        assert not batch.inputs[i, n:].any()
        assert batch.targets[i, : int(batch.target_lengths[i])].tolist() == list(example.targets)


def test_empty_batch_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        collate([])


def test_moving_a_batch_keeps_everything():
    batch = collate([pair(0, [7, 8], [2, 3])]).to("meta")
    assert {batch.inputs.device.type, batch.input_lengths.device.type, batch.targets.device.type} == {"meta"}
    assert batch.target_lengths.device.type == "meta"
    assert batch.ids == ("r0",)
    assert collate([labelled(0, [1], 0)]).to("cpu").target_lengths is None


def test_lengths_of_examples():
    lengths = example_lengths([pair(0, [7, 8, 9], [2, 5, 3]), labelled(1, [4], 0)])
    assert lengths.tolist() == [[3, 3], [1, 0]]
    assert example_lengths([]).shape == (0, 2)


def test_collating_is_fast():
    examples = [pair(i, range(4, 30), range(4, 30)) for i in range(64)]
    start = time.process_time()
    for _ in range(100):
        collate(examples)
    assert time.process_time() - start < 1  # 10 ms a batch would show in training; this takes well under 1 ms
