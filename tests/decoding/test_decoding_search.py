"""Greedy and beam search over a small language model whose every output can be enumerated."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.attention import AdditiveScore, Attention
from attnfocus.decoding import DecodingOptions, beam_search, decode, greedy
from attnfocus.models import Seq2Seq
from attnfocus.special import BOS, EOS, PAD, UNK

VOCAB = 7


class MarkovModel:
    """Logits by (source's first token, last token, step) and by the token before, which only the state remembers.

    A state that is given to another sentence's memory is noticed, one given to another hypothesis changes the logits.
    """

    def __init__(self, seed: int, end_bias: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.table = 2 * torch.randn(10, VOCAB, 8, VOCAB, generator=generator)
        self.table[..., EOS] += end_bias
        self.before = torch.randn(VOCAB, VOCAB, generator=generator)
        self.batch_sizes: list[int] = []

    def encode(self, source, lengths):
        return (source[:, 0] if source.shape[1] else torch.zeros(len(source), dtype=torch.long), source)

    def start(self, memory):
        return (torch.zeros_like(memory[0]), memory[0] * 100, torch.full_like(memory[0], PAD))

    def step(self, tokens, state, memory, need_weights=False):
        count, signature, before = state
        assert signature.tolist() == (memory[0] * 100 + count).tolist()  # state and memory of the same sentence
        self.batch_sizes.append(len(tokens))
        logits = self.table[memory[0], tokens, count.clamp(max=7)] + self.before[before]
        weights = None
        if need_weights:
            # Weights that tell which token was read, at which step: (N, 2 heads, S).
            weights = torch.stack([tokens, count], 1).unsqueeze(-1).expand(-1, -1, memory[1].shape[1]).float()
        return logits, (count + 1, signature + 1, tokens), weights

    def select(self, tree, index):
        return tuple(each.index_select(0, index) for each in tree)

    def log_prob(self, first: int, ids: list[int], end: bool = True) -> float:
        total, before, last = 0.0, PAD, BOS
        for step, token in enumerate([*ids, EOS] if end else ids):
            logits = self.table[first, last, min(step, 7)] + self.before[before]
            total += logits.log_softmax(-1)[token].item()
            before, last = last, token
        return total


def sources(num=6, size=3):
    source = torch.randint(0, 10, (num, size), generator=torch.Generator().manual_seed(3))
    source[:, 0] = torch.arange(num)
    return source, torch.randint(1, size + 1, (num,), generator=torch.Generator().manual_seed(4))


def options(beam_size=1, max_length=6, **changes):
    return DecodingOptions(
        beam_size=beam_size, max_length=max_length, max_length_ratio=0, max_length_constant=max_length, **changes
    )


def beam(model, source, lengths, beam_size, max_length=6, length_penalty=1.0, need_weights=False):
    return beam_search(
        model,
        source,
        lengths,
        beam_size=beam_size,
        length_penalty=length_penalty,
        max_lengths=torch.full_like(lengths, max_length),
        need_weights=need_weights,
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-3, 3), max_length=st.integers(1, 7))
def test_beam_of_one_equals_greedy(seed, end_bias, max_length):
    model = MarkovModel(seed, end_bias)
    source, lengths = sources()
    limits = torch.full_like(lengths, max_length)
    first = greedy(model, source, lengths, max_lengths=limits, need_weights=True)
    second = beam(model, source, lengths, 1, max_length, need_weights=True)
    for one, other in zip(first, second, strict=True):
        assert one.ids == other.ids
        assert one.score == pytest.approx(other.score)
        assert torch.equal(one.weights, other.weights)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    end_bias=st.floats(-3, 3),
    beam_size=st.integers(1, 5),
    length_penalty=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
)
def test_batched_equals_one_by_one(seed, end_bias, beam_size, length_penalty):
    model = MarkovModel(seed, end_bias)
    source, lengths = sources()
    wanted = options(beam_size, length_penalty=length_penalty)
    together = decode(model, source, lengths, wanted, need_weights=True)
    for row, hypothesis in enumerate(together):
        (alone,) = decode(model, source[row : row + 1], lengths[row : row + 1], wanted, need_weights=True)
        assert hypothesis.ids == alone.ids
        assert hypothesis.score == pytest.approx(alone.score)
        assert torch.equal(hypothesis.weights, alone.weights)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-2, 2), length_penalty=st.sampled_from([0.0, 0.6, 1.0]))
def test_a_beam_as_wide_as_the_space_finds_the_best_output(seed, end_bias, length_penalty):
    """Every output of up to 3 tokens, one by one: with nothing pruned beam search is exact."""
    model = MarkovModel(seed, end_bias)
    source, lengths = sources(num=3)
    writable = [token for token in range(VOCAB) if token not in (PAD, BOS, EOS)]
    outputs = [list(ids) for size in range(4) for ids in product(writable, repeat=size)]
    found = beam(model, source, lengths, len(outputs), max_length=4, length_penalty=length_penalty)
    for first, hypothesis in enumerate(found):
        ranks = {tuple(ids): model.log_prob(first, ids) / (len(ids) + 1) ** length_penalty for ids in outputs}
        best = max(ranks, key=ranks.__getitem__)
        assert tuple(hypothesis.ids) == best


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), end_bias=st.floats(-4, 2), beam_size=st.integers(1, 4))
def test_score_is_the_log_probability_of_the_tokens(seed, end_bias, beam_size):
    model = MarkovModel(seed, end_bias)
    source, lengths = sources()
    for first, hypothesis in enumerate(decode(model, source, lengths, options(beam_size))):
        ended = model.log_prob(first, hypothesis.ids)
        if len(hypothesis.ids) == 6:  # cut at the maximum length, without EOS
            ended = model.log_prob(first, hypothesis.ids, end=False)
        assert hypothesis.score == pytest.approx(ended, rel=1e-4)


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
    assert model.batch_sizes[0] == 8 * beam_size
    assert model.batch_sizes == sorted(model.batch_sizes, reverse=True)
    assert model.batch_sizes[-1] < 8 * beam_size


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
    torch.manual_seed(0)
    model = Seq2Seq(
        attention=lambda **sizes: Attention(**sizes, score=AdditiveScore),
        source_vocab_size=12,
        target_vocab_size=12,
        embed_dim=8,
        hidden_size=8,
        **changes,
    )
    for parameter in model.parameters():
        parameter.data *= 3  # far from flat, so that outputs differ
    model.eval()
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
