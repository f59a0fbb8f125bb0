"""Rows are computed by groups of like lengths where that saves padding, and nobody can tell."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from attnfocus.models.length_groups import by_length_groups, length_groups

some_lengths = st.lists(st.integers(0, 300), min_size=1, max_size=40)


@given(some_lengths)
def test_every_row_is_in_one_group_and_groups_rise_in_length(lengths):
    lengths = torch.tensor(lengths)
    groups = length_groups(lengths, int(lengths.max()))
    assert sorted(torch.cat(groups).tolist()) == list(range(len(lengths)))
    if len(groups) > 1:
        assert torch.cat([lengths[group] for group in groups]).diff().ge(0).all()


@given(some_lengths)
def test_the_results_are_those_of_all_rows_at_once(lengths):
    lengths = torch.tensor(lengths)
    inputs = torch.randn(len(lengths), int(lengths.max()), 2, dtype=torch.float64)

    def total(inputs, lengths):
        real = torch.arange(inputs.shape[1]) < lengths[:, None]
        return (inputs * real[..., None]).sum(1)

    torch.testing.assert_close(by_length_groups(total, inputs, lengths), total(inputs, lengths))


def test_uneven_rows_are_computed_with_little_padding():
    torch.manual_seed(0)
    lengths = torch.randint(32, 129, (64,))
    computed = sum(len(group) * int(lengths[group].max()) for group in length_groups(lengths, 128))
    assert computed < 1.12 * lengths.sum()


def test_rows_of_one_length_and_small_batches_stay_together():
    assert len(length_groups(torch.full((64,), 100), 100)) == 1
    assert len(length_groups(torch.tensor([1, 9, 4, 3]), 9)) == 1
    assert len(length_groups(torch.tensor([], dtype=torch.long), 0)) == 1


def test_a_device_is_not_asked_for_lengths():
    assert len(length_groups(torch.tensor([1, 900], device="meta"), 900)) == 1
