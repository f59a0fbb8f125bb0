"""n-best outputs, their penalties, and what may not be written, against every output there is."""

from dataclasses import replace

import pytest
import torch
from decoding_toys import VOCAB, LookingModel, MarkovModel, all_outputs, options, sources
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.decoding import decode, decode_best
from attnfocus.decoding.candidates import highest
from attnfocus.decoding.constraints import forbid_repeated_ngrams
from attnfocus.special import BOS, EOS, PAD


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    end_bias=st.floats(-2, 2),
    length_penalty=st.sampled_from([0.0, 0.6, 1.0]),
    form=st.sampled_from(["power", "gnmt"]),
    coverage_penalty=st.sampled_from([0.0, 0.4]),
)
def test_a_beam_as_wide_as_the_space_finds_the_n_best(seed, end_bias, length_penalty, form, coverage_penalty):
    """Every output of up to 3 tokens scored by Wu et al. 2016, eq. 14, in float64."""
    model = LookingModel(seed, end_bias)
    source, _ = sources(num=3)
    lengths, outputs = torch.full((3,), 3), all_outputs(3)
    penalties = {"length_penalty": length_penalty, "length_penalty_form": form, "coverage_penalty": coverage_penalty}
    found = decode_best(model, source, lengths, options(len(outputs), 3, num_best=10, **penalties))
    for first, hypotheses in enumerate(found):

        def rank(ids: list[int], first: int = first) -> float:
            length = len(ids) + 1
            divisor = ((5 + length) / 6 if form == "gnmt" else length) ** length_penalty
            return model.log_prob(first, ids) / divisor + coverage_penalty * model.coverage_penalty(ids, 3)

        best = sorted((rank(ids) for ids in outputs), reverse=True)[:10]
        assert [rank(each.ids) for each in hypotheses] == pytest.approx(best, rel=1e-4, abs=1e-5)
        assert [each.rank_score for each in hypotheses] == pytest.approx(best, rel=1e-4, abs=1e-5)
        assert len({tuple(each.ids) for each in hypotheses}) == 10


def test_coverage_does_not_count_padding():
    model = LookingModel(3)
    source, _ = sources(num=1)
    source, lengths = torch.cat((source, torch.zeros(1, 2, dtype=torch.long)), dim=1), torch.tensor([3])
    model.weights = lambda tokens, count, source: torch.tensor([0.5, 0.25, 0.25, 0, 0]).expand(len(tokens), 1, 5)
    [found] = decode(model, source, lengths, options(2, coverage_penalty=1.0, length_penalty=0.0))
    size = len(found.ids) + 1  # EOS looks too
    penalty = sum(torch.tensor(min(share * size, 1.0)).log().item() for share in (0.5, 0.25, 0.25))
    assert found.rank_score == pytest.approx(found.score + penalty, rel=1e-4)


@pytest.mark.parametrize("at_limit", ["end", "cut"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-3, 3), beam_size=st.integers(2, 5))
def test_the_first_of_n_best_is_the_single_best_and_the_rest_is_sorted(at_limit, seed, end_bias, beam_size):
    model = MarkovModel(seed, end_bias)
    single = decode(model, *sources(), options(beam_size, at_limit=at_limit))
    several = decode_best(model, *sources(), options(beam_size, num_best=beam_size, at_limit=at_limit))
    for one, many in zip(single, several, strict=True):
        assert many[0].ids == one.ids
        assert many[0].score == pytest.approx(one.score)
        ended = [each.rank_score for each in many if at_limit == "end" or len(each.ids) < 6]
        assert ended == sorted(ended, reverse=True)
        assert [each.rank_score for each in many[: len(ended)]] == ended  # those that were cut come last
        assert len(many) == len({tuple(each.ids) for each in many}) == beam_size


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-2, 2))
def test_a_beam_that_prunes_nothing_is_no_worse_than_greedy_search(seed, end_bias):
    model = MarkovModel(seed, end_bias)
    wanted = {"max_length": 3, "length_penalty": 0.0}
    for one, other in zip(
        decode(model, *sources(num=3), options(1, **wanted)),
        decode(model, *sources(num=3), options(len(all_outputs(3)), **wanted)),
        strict=True,
    ):
        assert other.score >= one.score - 1e-5


def test_where_there_are_fewer_outputs_than_asked_for_all_are_given():
    model = MarkovModel(0)
    model.table[:, BOS, 0] = model.table[:, 4, 1] = -torch.inf
    model.table[:, BOS, 0, [4, EOS]] = 0.0
    model.table[:, 4, 1, EOS] = 0.0
    model.before.fill_(0.0)
    for hypotheses in decode_best(model, *sources(), options(4, num_best=4, length_penalty=0.0)):
        assert sorted(each.ids for each in hypotheses) == [[], [4]]
        assert all(each.score == pytest.approx(-0.6931472) for each in hypotheses)


@pytest.mark.parametrize("ways", [{}, {"beam_size": 3, "num_best": 3}, {"sampling": True, "num_best": 3}])
def test_length_limits_hold(ways):
    source, _ = sources(num=4)
    lengths = torch.tensor([0, 1, 2, 3])
    wanted = {"min_length_ratio": 1.5, "max_length_ratio": 1.5, "max_length_constant": 1, "max_length": 4}
    allowed = [(0, 1), (2, 3), (3, 4), (4, 4)]  # ceil(1.5 S) up to ceil(1.5 S) + 1, and never more than 4
    lengths_found = set()
    for end_bias in (-50.0, 0.0, 50.0):
        found = decode_best(MarkovModel(1, end_bias), source, lengths, replace(options(**ways), **wanted))
        for hypotheses, (shortest, longest) in zip(found, allowed, strict=True):
            assert all(shortest <= len(each.ids) <= longest for each in hypotheses)
            lengths_found |= {len(each.ids) for each in hypotheses}
    assert {0, 2, 4} <= lengths_found


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("ways", [{}, {"beam_size": 3, "num_best": 2}, {"sampling": True, "num_best": 3}])
def test_no_ngram_is_written_twice(size, ways):
    def has_repetition(ids):
        ngrams = [tuple(ids[place : place + size]) for place in range(len(ids) - size + 1)]
        return len(set(ngrams)) < len(ngrams)

    def repetitions(**changes):
        model = MarkovModel(2, end_bias=-8.0)
        found = decode_best(model, *sources(), options(max_length=12, **ways, **changes))
        return sum(has_repetition(each.ids) for hypotheses in found for each in hypotheses)

    assert repetitions() > 0
    assert repetitions(no_repeat_ngram_size=size) == 0


@pytest.mark.parametrize("ways", [{}, {"beam_size": 3}, {"sampling": True}])
def test_an_output_ends_early_where_only_repetition_could_make_it_long_enough(ways):
    """Four tokens can be written, each once: there is no way to five."""
    found = decode(MarkovModel(0), *sources(), options(**ways, no_repeat_ngram_size=1, min_length_ratio=9.0))
    assert all(sorted(each.ids) == [1, 4, 5, 6] and each.score > -torch.inf for each in found)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 4), length=st.integers(0, 9))
def test_forbidden_tokens_are_those_of_a_loop(seed, size, length):
    written = torch.randint(3, 6, (2, 3, length), generator=torch.Generator().manual_seed(seed))
    log_probs = torch.zeros(2, 3, VOCAB)
    forbid_repeated_ngrams(log_probs, written, size)
    for row, ids in zip(log_probs.flatten(0, 1), written.flatten(0, 1).tolist(), strict=True):
        ngrams = [tuple(ids[place : place + size]) for place in range(length - size + 1)]
        for token in set(range(VOCAB)) - {PAD}:
            again = length >= size and tuple([*ids, token][-size:]) in ngrams
            assert (row[token] == -torch.inf).item() == again


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), num=st.integers(1, 2000), count=st.integers(1, 12))
def test_the_highest_scores_are_those_of_topk(seed, num, count):
    scores = torch.randn(3, num, generator=torch.Generator().manual_seed(seed))
    values, places = highest(scores, min(count, num))
    expected = scores.topk(min(count, num))
    assert torch.equal(values, expected.values)
    assert torch.equal(places, expected.indices)
