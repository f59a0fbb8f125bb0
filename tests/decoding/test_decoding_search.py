"""Greedy and beam search over a small language model whose every output can be enumerated."""

import math

import pytest
import torch
from decoding_toys import MarkovModel, all_outputs, options, seq2seq, sources
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attnfocus.decoding import DecodingOptions, beam_search, decode, decode_best, greedy
from attnfocus.special import BOS, EOS, PAD, UNK


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-3, 3), max_length=st.integers(1, 7))
def test_beam_of_one_equals_greedy(seed, end_bias, max_length):
    model = MarkovModel(seed, end_bias)
    wanted = options(max_length=max_length)
    first = greedy(model, *sources(), wanted, need_weights=True)
    second = beam_search(model, *sources(), wanted, need_weights=True)
    for one, [other] in zip(first, second, strict=True):
        assert one.ids == other.ids
        assert one.score == pytest.approx(other.score)
        assert torch.equal(one.weights, other.weights)


WAYS = {
    "greedy": {},
    "greedy, limited": {"min_length_ratio": 1.0, "no_repeat_ngram_size": 1},
    "beam": {"beam_size": 3, "length_penalty": 0.6},
    "beam, plain": {"beam_size": 2, "length_penalty": 0.0},
    "n best": {"beam_size": 5, "num_best": 4, "length_penalty_form": "gnmt", "coverage_penalty": 0.3},
    "n best, limited": {"beam_size": 4, "num_best": 4, "min_length_ratio": 1.0, "no_repeat_ngram_size": 2},
    "sampling": {"sampling": True, "num_best": 3},
    "sampling, narrowed": {"sampling": True, "temperature": 0.7, "top_k": 4, "top_p": 0.8, "no_repeat_ngram_size": 1},
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-3, 3))
def test_batched_equals_one_by_one(way, seed, end_bias):
    model = MarkovModel(seed, end_bias)
    source, lengths = sources()
    wanted = options(**WAYS[way])
    together = decode_best(model, source, lengths, wanted, need_weights=True)
    for row, hypotheses in enumerate(together):
        (alone,) = decode_best(model, source[row : row + 1], lengths[row : row + 1], wanted, need_weights=True)
        assert [each.ids for each in hypotheses] == [each.ids for each in alone]
        assert [each.score for each in hypotheses] == pytest.approx([each.score for each in alone])
        for one, other in zip(hypotheses, alone, strict=True):
            assert torch.equal(one.weights, other.weights)


@pytest.mark.parametrize("changes", [{}, {"input_feeding": True}, {"order": "attend_then_recur"}])
@pytest.mark.parametrize("way", ["greedy", "n best, limited", "sampling"])
def test_cached_states_equal_recomputing_the_whole_output(changes, way):
    """The score and the weights that the steps gave are those of one teacher-forced pass over the output."""
    model = seq2seq(**changes)
    source, lengths = torch.randint(4, 12, (5, 6)), torch.tensor([6, 3, 1, 2, 5])
    for row, hypotheses in enumerate(decode_best(model, source, lengths, options(**WAYS[way]), need_weights=True)):
        for found in hypotheses:
            written, target_in = [*found.ids, EOS], torch.tensor([[BOS, *found.ids]])
            output = model(source[row : row + 1, : lengths[row]], lengths[row : row + 1], target_in, need_weights=True)
            log_probs = output.logits[0].log_softmax(-1)
            score = sum(log_probs[step, token].item() for step, token in enumerate(written))
            assert found.score == pytest.approx(score, rel=1e-4)
            torch.testing.assert_close(found.weights, output.weights["cross"][0, :, : len(found.ids)])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-2, 2), length_penalty=st.sampled_from([0.0, 0.6, 1.0]))
@example(seed=0, end_bias=-2.0, length_penalty=1.0)
def test_a_beam_as_wide_as_the_space_finds_the_best_output(seed, end_bias, length_penalty):
    """Every output of up to 3 tokens, one by one: with nothing pruned beam search is exact."""
    model = MarkovModel(seed, end_bias)
    source, lengths = sources(num=3)
    outputs = all_outputs(3)
    found = decode(model, source, lengths, options(len(outputs), 3, length_penalty=length_penalty))
    for first, hypothesis in enumerate(found):
        ranks = {tuple(ids): model.log_prob(first, ids) / (len(ids) + 1) ** length_penalty for ids in outputs}
        best = max(ranks, key=ranks.__getitem__)
        assert tuple(hypothesis.ids) == best


@pytest.mark.parametrize("at_limit", ["end", "cut"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-4, 2), beam_size=st.integers(1, 4))
def test_score_is_the_log_probability_of_the_tokens(at_limit, seed, end_bias, beam_size):
    model = MarkovModel(seed, end_bias)
    source, lengths = sources()
    for first, hypothesis in enumerate(decode(model, source, lengths, options(beam_size, at_limit=at_limit))):
        was_cut = at_limit == "cut" and len(hypothesis.ids) == 6
        assert hypothesis.score == pytest.approx(model.log_prob(first, hypothesis.ids, end=not was_cut), rel=1e-4)


@pytest.mark.parametrize("ways", [{}, {"beam_size": 3, "num_best": 3}, {"sampling": True, "num_best": 3}])
def test_an_output_of_the_longest_length_has_an_end(ways):
    """By hand: 5 is sure, then 6 with 0.9 or the end with 0.1; and after two tokens the end with 0.5."""
    model = MarkovModel(0)
    model.table.fill_(-1e4)
    model.before.fill_(0.0)
    model.table[:, BOS, 0, 5] = 0.0
    model.table[:, 5, 1, 6], model.table[:, 5, 1, EOS] = math.log(0.9), math.log(0.1)
    model.table[:, 6, 2, EOS] = model.table[:, 6, 2, 4] = math.log(0.5)
    limits = torch.tensor([1, 2, 3, 3])  # with their own limits, side by side
    wanted = DecodingOptions(max_length=3, max_length_ratio=1, max_length_constant=0, length_penalty=0.0, **ways)
    found = decode_best(model, torch.zeros(4, 3, dtype=torch.long), limits, wanted, need_weights=True)
    expected = {(5,): 0.1, (5, 6): 0.9 * 0.5}
    seen = set()
    for row, hypotheses in enumerate(found):
        for each in hypotheses:
            if tuple(each.ids) in expected:
                seen.add((row, len(each.ids)))
                assert each.score == pytest.approx(math.log(expected[tuple(each.ids)]), rel=1e-4)
                assert each.weights.shape == (2, len(each.ids), limits[row])
    assert (0, 1) in seen
    assert (1, 2) in seen


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_model_that_cannot_end_still_gives_an_output(beam_size):
    model = MarkovModel(0, end_bias=-torch.inf)
    found = decode(model, *sources(), options(beam_size, max_length=3))
    assert [len(each.ids) for each in found] == [3] * 6
    assert all(each.score == -torch.inf for each in found)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_outputs_may_still_be_cut_at_their_maximum_as_runs_of_older_versions_do(beam_size):
    model = MarkovModel(0, end_bias=-8.0)
    for first, each in enumerate(decode(model, *sources(), options(beam_size, max_length=3, at_limit="cut"))):
        assert len(each.ids) == 3
        assert each.score == pytest.approx(model.log_prob(first, each.ids, end=False), rel=1e-4)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_pad_and_bos_are_never_written(beam_size):
    model = MarkovModel(0)
    model.table[..., [PAD, BOS]] += 100
    for hypothesis in decode(model, *sources(), options(beam_size)):
        assert not {PAD, BOS, EOS} & set(hypothesis.ids)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_an_output_that_does_not_end_is_cut_at_its_own_maximum_length(beam_size):
    model = MarkovModel(0, end_bias=-1e4)
    source, _ = sources(num=3)
    wanted = DecodingOptions(beam_size=beam_size, max_length=5, max_length_ratio=1.5, max_length_constant=1)
    lengths = torch.tensor([0, 1, 3])
    assert wanted.max_lengths(lengths).tolist() == [1, 3, 5]
    assert [len(hypothesis.ids) for hypothesis in decode(model, source, lengths, wanted)] == [1, 3, 5]


@pytest.mark.parametrize("beam_size", [1, 2])
def test_an_empty_output_is_an_output(beam_size):
    hypotheses = decode(MarkovModel(0, end_bias=50.0), *sources(), options(beam_size), need_weights=True)
    assert all(hypothesis.ids == [] and hypothesis.score > -1e-3 for hypothesis in hypotheses)
    assert all(hypothesis.weights.shape[1] == 0 for hypothesis in hypotheses)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_finished_sentences_leave_the_batch(beam_size):
    model = MarkovModel(5, end_bias=1.0)
    source, lengths = sources(num=8)
    decode(model, source, lengths, options(beam_size))
    first, *others = model.batch_sizes
    assert first == 8  # before the first token all hypotheses of a sentence are the same
    assert others[0] <= 8 * beam_size
    assert others == sorted(others, reverse=True)
    assert others[-1] < 8 * beam_size


@pytest.mark.parametrize("beam_size", [1, 3])
def test_weights_belong_to_the_tokens_of_the_hypothesis(beam_size):
    source, lengths = sources()
    hypotheses = decode(MarkovModel(1), source, lengths, options(beam_size), need_weights=True)
    assert any(len(hypothesis.ids) > 1 for hypothesis in hypotheses)
    for hypothesis, length in zip(hypotheses, lengths.tolist(), strict=True):
        size = len(hypothesis.ids)
        assert hypothesis.weights.shape == (2, size, length)
        read = [BOS, *hypothesis.ids][:size]
        assert hypothesis.weights[0].T.tolist() == [[float(token) for token in read]] * length
        assert hypothesis.weights[1].T.tolist() == [[float(step) for step in range(size)]] * length


def test_a_wider_beam_escapes_a_greedy_mistake():
    """Hand-worked: P(5) = 0.6 but what follows is flat; P(6) = 0.4 and then the end is sure: 0.4 beats 0.6 / 5."""
    model = MarkovModel(0)
    model.table.fill_(-1e4)
    model.before.fill_(0.0)
    model.table[0, BOS, 0, 5], model.table[0, BOS, 0, 6] = math.log(0.6), math.log(0.4)
    model.table[0, 5, 1, [UNK, EOS, 4, 5, 6]] = 0.0  # 1/5 each
    model.table[0, 6, 1, EOS] = 0.0
    model.table[0, [UNK, 4, 5, 6], 2, EOS] = 0.0
    source, lengths = torch.zeros(1, 2, dtype=torch.long), torch.tensor([2])
    (mistaken,) = decode(model, source, lengths, options(1))
    assert mistaken.ids[0] == 5
    (found,) = decode(model, source, lengths, options(2, length_penalty=0.0))
    assert found.ids == [6]
    assert found.score == pytest.approx(math.log(0.4))


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_diverged_model_still_gives_an_output(beam_size):
    model = MarkovModel(0)
    model.table.fill_(torch.nan)
    assert len(decode(model, *sources(), options(beam_size))) == 6


@pytest.mark.parametrize("beam_size", [1, 4])
def test_no_sentences_give_no_hypotheses(beam_size):
    source, lengths = torch.empty(0, 3, dtype=torch.long), torch.empty(0, dtype=torch.long)
    assert decode(MarkovModel(0), source, lengths, options(beam_size)) == []


@pytest.mark.parametrize("changes", [{}, {"input_feeding": True}, {"order": "attend_then_recur", "cell": "gru"}])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_seq2seq_decodes_a_batch_as_it_decodes_each_sentence(changes, beam_size):
    model = seq2seq(**changes)
    source = torch.randint(4, 12, (5, 6))
    lengths = torch.tensor([6, 3, 1, 0, 5])
    wanted = options(beam_size, max_length=8)
    together = decode(model, source, lengths, wanted, need_weights=True)
    assert len({tuple(hypothesis.ids) for hypothesis in together}) > 1
    for row, (hypothesis, length) in enumerate(zip(together, lengths.tolist(), strict=True)):
        (alone,) = decode(model, source[row : row + 1, :length], lengths[row : row + 1], wanted, need_weights=True)
        assert hypothesis.ids == alone.ids
        assert hypothesis.score == pytest.approx(alone.score, rel=1e-4)
        torch.testing.assert_close(hypothesis.weights, alone.weights)
        assert hypothesis.weights.shape == (1, len(hypothesis.ids), length)
        assert not hypothesis.weights.requires_grad
