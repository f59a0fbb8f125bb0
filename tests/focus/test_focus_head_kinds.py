"""Names of heads: weights made for each rule get its name, and equal weights none."""

import pytest
import torch

from attnfocus.focus.head_kinds import DIFFUSE, KINDS, MIXED, Tokens, kind_scores, name_of

IDS = torch.tensor([[2, 5, 6, 7, 5, 6, 8, 5, 4, 6], [2, 6, 5, 8, 6, 7, 4, 5, 6, 7]])
SIZE = IDS.shape[1]


def pairs():
    return torch.ones(2, 1, SIZE, SIZE, dtype=torch.bool)


def tokens():
    return Tokens(IDS, IDS, (IDS == 4) | (IDS < 4), torch.ones(2, SIZE, dtype=torch.bool))


def spread_over(keys, *, causal=False):
    """Equal weights on some keys (2, Q, K) of each query; where there are none, on all that it sees."""
    seen = torch.ones(SIZE, SIZE).tril() if causal else torch.ones(SIZE, SIZE)
    chosen = keys.float() * seen
    chosen = torch.where(chosen.sum(-1, keepdim=True) > 0, chosen, seen)
    return (chosen / chosen.sum(-1, keepdim=True)).unsqueeze(1)


def offset(number):
    return (torch.arange(SIZE) - torch.arange(SIZE).unsqueeze(-1) == number).expand(2, -1, -1)


def same():
    return (IDS.unsqueeze(-1) == IDS.unsqueeze(-2)) & ~torch.eye(SIZE, dtype=torch.bool)


def made():
    first = (torch.arange(SIZE) == 0).expand(2, SIZE, -1)
    behind = torch.nn.functional.pad(same()[..., :-1], (1, 0))
    return {
        "previous token": spread_over(offset(-1), causal=True),
        "next token": spread_over(offset(1)),
        "first token": spread_over(first, causal=True),
        "same offset": spread_over(offset(-2), causal=True),
        "same token": spread_over(same()),
        "induction": spread_over(behind, causal=True),
        "separator": spread_over((IDS == 4).unsqueeze(1).expand(-1, SIZE, -1)),
        "diffuse": spread_over(torch.ones(2, SIZE, SIZE), causal=True),
    }


@pytest.mark.parametrize("kind", made())
def test_a_head_that_follows_a_rule_gets_its_name(kind):
    found = {name: float(score[0]) for name, score in kind_scores(made()[kind], pairs(), "self", tokens()).items()}
    assert name_of(found) == kind
    assert set(found) <= set(KINDS)
    assert all(0 <= score <= 1 for score in found.values())
    if kind == "diffuse":
        assert found.pop(DIFFUSE) == pytest.approx(1)
        assert max(found.values()) < 0.1  # equal weights are at chance for every rule


def test_a_score_is_the_share_above_chance():
    """Half of the weight on the previous token, the rest alike: 1/2, but for what chance gives: by hand."""
    half = 0.5 * spread_over(offset(-1), causal=True) + 0.5 * spread_over(torch.ones(2, SIZE, SIZE), causal=True)
    score = float(kind_scores(half, pairs(), "self", tokens())["previous token"][0])
    chance = sum(1 / (query + 1) for query in range(1, SIZE)) / (SIZE - 1)  # query 0 has no key before it
    assert score == pytest.approx((0.5 + 0.5 * chance - chance) / (1 - chance))
    assert score == pytest.approx(0.5)


def test_an_alignment_is_one_to_one_and_needs_another_sequence():
    aligned = torch.eye(SIZE).flip(0).expand(2, 1, -1, -1).clone()  # any order, not the diagonal alone
    all_on_one = torch.zeros(2, 1, SIZE, SIZE)
    all_on_one[..., 4] = 1
    scores = kind_scores(torch.cat((aligned, all_on_one), dim=1), pairs(), "cross", tokens())
    assert scores["alignment"].tolist() == pytest.approx([1, 0], abs=0.02)
    assert "previous token" not in scores
    first = {name: float(each[0]) for name, each in scores.items()}
    second = {name: float(each[1]) for name, each in scores.items()}
    assert (name_of(first), name_of(second)) == ("alignment", MIXED)


def test_sharp_weights_anywhere_are_no_alignment_and_known_links_decide():
    generator = torch.Generator().manual_seed(1)
    anywhere = torch.nn.functional.one_hot(torch.randint(SIZE, (40, 1, SIZE), generator=generator), SIZE).float()
    real, asked = torch.ones(40, 1, SIZE, SIZE, dtype=torch.bool), torch.ones(40, SIZE, dtype=torch.bool)
    found = kind_scores(anywhere, real, "cross", Tokens(None, None, None, asked))
    assert float(found["alignment"][0]) < 0.1
    known = kind_scores(anywhere, real, "cross", Tokens(None, None, None, asked, anywhere[:, 0] > 0))
    assert float(known["alignment"][0]) == pytest.approx(1)
    other = kind_scores(anywhere, real, "cross", Tokens(None, None, None, asked, anywhere[:, 0].roll(1, -1) > 0))
    assert float(other["alignment"][0]) == 0


def test_padding_counts_nothing():
    """A head on the previous token, in a batch with room behind the texts."""
    sharp = made()["previous token"]
    whole = torch.zeros(2, 1, SIZE + 3, SIZE + 3)
    whole[..., :SIZE, :SIZE] = sharp
    real = torch.zeros(2, 1, SIZE + 3, SIZE + 3, dtype=torch.bool)
    real[..., :SIZE, :SIZE] = True
    ids = torch.nn.functional.pad(IDS, (0, 3))
    asked = torch.nn.functional.pad(torch.ones(2, SIZE, dtype=torch.bool), (0, 3))
    padded = kind_scores(whole, real, "self", Tokens(ids, ids, ids <= 4, asked))
    alone = kind_scores(sharp, pairs(), "self", tokens())
    for name, each in alone.items():
        torch.testing.assert_close(padded[name], each, msg=name)
