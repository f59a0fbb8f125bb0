"""How much of the right answers a model says, and of those of other inputs."""

import numpy as np
import pytest

from attnfocus.focus.right_tokens import common_in_order, right_shares


def common_by_table(first, second):
    """The table of the longest common subsequence, cell by cell."""
    table = np.zeros((len(first) + 1, len(second) + 1), int)
    for row, one in enumerate(first, 1):
        for column, other in enumerate(second, 1):
            longer = max(table[row - 1, column], table[row, column - 1])
            table[row, column] = table[row - 1, column - 1] + 1 if one == other else longer
    return table[-1, -1]


def test_the_common_subsequence_is_that_of_the_table():
    random = np.random.default_rng(0)
    for _ in range(200):
        first, second = (random.integers(0, 5, random.integers(0, 90)).tolist() for _ in range(2))
        assert common_in_order(first, second) == common_by_table(first, second)


def shares(answers, right, in_place=False):
    return right_shares(answers, right, np.random.default_rng(0), in_place=in_place)


def test_shares_by_hand():
    right = [[1, 2, 3, 4], [9, 8]]
    # As far as the shorter right answer goes: of 1 2 the first says both, of 9 8 one; the second says 2, and 9 8.
    found = shares([[1, 8, 2], [2, 9, 8]], right)
    assert found.tolist() == [[1.0, 0.5], [1.0, 0.5]]
    assert shares([[1, 8, 2], [2, 9, 8]], right, in_place=True).tolist() == [[0.5, 0.5], [0.0, 0.0]]


def test_answers_of_the_same_text_alone_cannot_be_compared():
    assert np.isnan(shares([[1], [2]], [[5], [5]])).all()
    assert np.isnan(shares([[1], [2], [3]], [[5], [5], []])).all()
    assert np.isnan(shares([[1]], [[1]])).all()
    assert shares([], []).shape == (0, 2)


@pytest.mark.parametrize("in_place", [False, True])
def test_what_knows_nothing_of_its_input_says_as_much_of_other_answers(in_place):
    """Right answers of a few common tokens and of all lengths; the model always says the commonest, or any of them."""
    random = np.random.default_rng(1)
    right = [np.minimum(random.geometric(0.4, random.integers(1, 30)), 6).tolist() for _ in range(3000)]
    sizes = [len(each) for each in right]
    for answers in (
        [[1] * size for size in sizes],
        [np.minimum(random.geometric(0.4, size), 6).tolist() for size in sizes],
    ):
        own, others = shares(answers, right, in_place).T
        assert own.mean() > 0.2
        assert abs((own - others).mean()) < 3 * (own - others).std() / np.sqrt(len(own))
    half = [each[: len(each) // 2] + [1] * (len(each) - len(each) // 2) for each in right]
    own, others = shares(half, right, in_place).T
    assert (own - others).mean() > 0.1
