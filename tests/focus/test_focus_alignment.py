"""Hard alignments by hand, and the alignment error rate of Och and Ney 2003."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.focus.alignment import (
    AlignmentCounts,
    alignment_counts,
    alignment_error_rate,
    argmax_links,
    mutual_links,
    threshold_links,
)

WEIGHTS = torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.0, 0.3, 0.7], [0.0, 0.0, 0.0]])


def pairs(links):
    return {tuple(place) for place in links.nonzero().tolist()}


def test_links_by_hand():
    """Key 0 gets more from query 0 (.6) than from query 1 (.5), so that only one of the two links is mutual."""
    assert pairs(argmax_links(WEIGHTS)) == {(0, 0), (1, 0), (2, 2)}
    assert pairs(mutual_links(WEIGHTS)) == {(0, 0), (2, 2)}
    assert pairs(threshold_links(WEIGHTS, threshold=0.3)) == {(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2)}
    mask = torch.tensor([False, True, True])
    assert pairs(argmax_links(WEIGHTS, mask)) == {(0, 1), (1, 1), (2, 2)}
    assert pairs(argmax_links(torch.zeros(2, 0))) == set()


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_thresholds_that_make_no_sense_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        threshold_links(WEIGHTS, threshold=threshold)


def test_padding_never_changes_links():
    torch.manual_seed(0)
    weights, mask = torch.rand(3, 4, 6), torch.arange(6) < 4
    padded = weights.masked_fill(~mask, math.nan)
    for extract in (argmax_links, mutual_links, lambda w, m=None: threshold_links(w, m, threshold=0.3)):
        links = extract(padded, mask)
        assert not links[..., 4:].any()
        assert torch.equal(links[..., :4], extract(weights[..., :4].contiguous()))


def test_error_rate_by_hand():
    """A = {00, 10, 22}, S = {00, 11}, P = S and {10}: 1 - (|{00}| + |{00, 10}|) / (3 + 2) = 0.4."""
    sure, possible = torch.zeros(4, 3, dtype=torch.bool), torch.zeros(4, 3, dtype=torch.bool)
    sure[0, 0] = sure[1, 1] = possible[1, 0] = True  # what is sure is possible, whether it is said or not
    links = argmax_links(WEIGHTS)
    assert alignment_counts(links, sure, possible) == AlignmentCounts(links=3, sure=2, sure_found=1, possible_found=2)
    assert alignment_error_rate(links, sure, possible) == pytest.approx(0.4)


def test_error_rate_is_0_for_the_sure_links_and_1_for_none_of_them():
    sure = torch.eye(3, dtype=torch.bool)
    assert alignment_error_rate(sure, sure, sure) == 0
    assert alignment_error_rate(sure.flip(0) & ~sure, sure, sure) == 1
    assert alignment_error_rate(torch.zeros_like(sure), sure, sure) == 1
    assert math.isnan(AlignmentCounts().error_rate)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_error_rate_equals_its_formula_on_sets(links, sure, possible):
    possible |= sure
    if not links | sure:
        return
    tensors = []
    for chosen in (links, sure, possible):
        tensors.append(torch.tensor([place in chosen for place in range(12)]).view(3, 4))
    expected = 1 - (len(links & sure) + len(links & possible)) / (len(links) + len(sure))
    assert alignment_error_rate(*tensors) == pytest.approx(expected)


def test_counts_of_batches_add_up():
    torch.manual_seed(1)
    links, sure, possible = (torch.rand(4, 3, 5) < 0.4 for _ in range(3))
    parts = [alignment_counts(*(each[part] for each in (links, sure, possible))) for part in range(4)]
    assert sum(parts, AlignmentCounts()) == alignment_counts(links, sure, possible)
