"""Attributions where the truth is known: linear scores, products worked by hand, and what integrals must add up to."""

import torch

from attnfocus.focus.attributions import (
    ROWS_AT_ONCE,
    gradient_input,
    integrated_gradients,
    leave_one_out,
    rows_at_once,
)

WEIGHT = torch.tensor([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.0]], dtype=torch.float64)  # of position and number


def linear(vectors, rows):
    """sum over positions and numbers of weight x value, times the number of the row plus 1."""
    return (vectors * WEIGHT).sum(dim=(1, 2)) * (rows + 1)


def vectors(num_rows):
    return torch.randn(num_rows, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def truth(given, baseline):
    scale = torch.arange(1, len(given) + 1, dtype=given.dtype).unsqueeze(1)
    return ((given - baseline) * WEIGHT).sum(dim=-1) * scale


def left_out(given, baseline):
    def scores(kept, examples):
        mixed = torch.where(kept.unsqueeze(-1), given[examples], baseline[examples])
        return linear(mixed, examples).unsqueeze(1)

    return leave_one_out(scores, torch.ones(given.shape[:2], dtype=torch.bool)).squeeze(1)


def test_all_methods_give_the_terms_of_a_linear_score():
    given = vectors(4)
    baseline = vectors(5)[1:]
    expected = truth(given, baseline)
    torch.testing.assert_close(gradient_input(linear, given, baseline), expected)
    found, error = integrated_gradients(linear, given, baseline, num_steps=1)
    torch.testing.assert_close(found, expected)
    assert error.max() < 1e-12
    torch.testing.assert_close(left_out(given, baseline), expected)


def test_integrated_gradients_of_a_product_by_hand():
    # f = x1 x2 at (3, 2) from (1, 0): x1 = 1 + 2a, x2 = 2a. First: 2 * integral of 2a = 2. Second: 2 * integral of
    # 1 + 2a = 4. Together f(3, 2) - f(1, 0) = 6.
    given = torch.tensor([[[3.0], [2.0]]], dtype=torch.float64)
    baseline = torch.tensor([[[1.0], [0.0]]], dtype=torch.float64)
    found, error = integrated_gradients(lambda x, rows: x[:, 0, 0] * x[:, 1, 0], given, baseline, num_steps=2)
    torch.testing.assert_close(found, torch.tensor([[2.0, 4.0]], dtype=torch.float64))
    assert error.item() < 1e-12


def test_the_error_of_too_few_points_is_told():
    # f = x^4 from 0 to 1 with one point: 4 * 0.5^3 = 0.5 in the place of 1.
    given, baseline = torch.ones(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, dtype=torch.float64)
    found, error = integrated_gradients(lambda x, rows: x[:, 0, 0] ** 4, given, baseline, num_steps=1)
    assert found.item() == 0.5
    assert error.item() == 0.5


def test_leaving_out_a_position_of_a_product_by_hand():
    # f = x1 x2 + x2 at (3, 2) with 0 in a position's place: 8 - 2 = 6, and 8 - 0 = 8.
    values = torch.tensor([[3.0, 2.0]])

    def scores(kept, examples):
        x = values[examples] * kept
        return (x[:, 0] * x[:, 1] + x[:, 1]).unsqueeze(1)

    assert leave_one_out(scores, torch.ones(1, 2, dtype=torch.bool)).tolist() == [[[6.0, 8.0]]]


def test_many_rows_are_those_of_each_alone():
    given = vectors(ROWS_AT_ONCE + 3)
    baseline = torch.zeros_like(given)

    def score(x, rows):
        return (x.tanh() * WEIGHT).sum(dim=(1, 2)) ** 2

    together, errors = integrated_gradients(score, given, baseline, num_steps=5)
    for number in (0, ROWS_AT_ONCE - 1, ROWS_AT_ONCE + 2):
        one = slice(number, number + 1)
        alone, error = integrated_gradients(score, given[one], baseline[one], num_steps=5)
        torch.testing.assert_close(together[one], alone)
        torch.testing.assert_close(errors[one], error)
    torch.testing.assert_close(gradient_input(score, given, baseline)[-1:], gradient_input(score, given[-1:], 0))


def test_no_rows_give_no_attributions():
    assert gradient_input(linear, vectors(0), torch.zeros(())).shape == (0, 3)


def test_padding_is_left_out_of_leaving_out():
    mask = torch.tensor([[True, True, False]])
    asked = []

    def scores(kept, examples):
        asked.append(kept)
        return kept.sum(dim=1, keepdim=True).double()

    assert leave_one_out(scores, mask).tolist() == [[[1.0, 1.0, 0.0]]]
    assert not torch.cat(asked)[:, 2].any()


def test_long_inputs_are_computed_a_few_at_a_time():
    assert [rows_at_once(length) for length in (0, 1, 20, 512, 10_000)] == [128, 128, 128, 16, 1]


def test_no_call_of_integrated_gradients_gets_more_rows_than_fit():
    sizes = []

    def score(given, rows):
        sizes.append(len(rows))
        return linear(given, rows)

    count = ROWS_AT_ONCE + 3
    integrated_gradients(score, vectors(count), torch.zeros(()), num_steps=2)
    assert max(sizes) <= ROWS_AT_ONCE
    assert sum(sizes) == 4 * count  # two points, and both ends
