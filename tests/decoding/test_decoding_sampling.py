"""What sampling draws, and which options go together."""

from dataclasses import replace

import pytest
import torch
from decoding_toys import MarkovModel, options, sources

from attnfocus.decoding import DecodingOptions, decode, decode_best
from attnfocus.decoding.sampling import draw
from attnfocus.errors import ConfigError
from attnfocus.special import BOS, EOS

CHI_SQUARE = {1: 15.1, 2: 18.4, 3: 21.1, 4: 23.5, 5: 25.7}  # exceeded with a probability of 1e-4, by degrees of freedom


def assert_drawn_from(counts, probs):
    """Pearson's chi-square of counts, where what has no probability has never been drawn."""
    assert all(count == 0 for count, prob in zip(counts, probs, strict=True) if prob == 0)
    total = sum(counts)
    pairs = [(count, prob * total) for count, prob in zip(counts, probs, strict=True) if prob > 0]
    assert sum((count - mean) ** 2 / mean for count, mean in pairs) < CHI_SQUARE[len(pairs) - 1]


PROBS = [0.05, 0.4, 0.1, 0.25, 0.0, 0.2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, PROBS),
        ({"temperature": 0.5}, [prob**2 / 0.275 for prob in PROBS]),  # 0.0025 + 0.16 + 0.01 + 0.0625 + 0.04 = 0.275
        ({"top_k": 2}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0, 0]),
        ({"top_p": 0.7}, [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0, 0.2 / 0.85]),  # 0.4 + 0.25 < 0.7 <= 0.4 + 0.25 + 0.2
        ({"top_k": 3, "top_p": 0.7}, [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0, 0]),  # of 0.85 the first two have 0.76
        ({"top_p": 0.01}, [0, 1, 0, 0, 0, 0]),
        ({"top_k": 99}, PROBS),
    ],
)
def test_tokens_are_drawn_as_often_as_they_are_probable(changes, expected):
    wanted = DecodingOptions(sampling=True, **changes)
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(5))
    drawn = draw(torch.tensor(PROBS).log().expand(20_000, -1), uniform, wanted)
    counts = torch.bincount(drawn, minlength=6).tolist()
    if changes == {"top_p": 0.01}:
        assert counts == [0, 20_000, 0, 0, 0, 0]
    else:
        assert_drawn_from(counts, expected)


def test_whole_outputs_are_drawn_as_often_as_they_are_probable():
    """Outputs of up to one token: EOS at once, or one of four tokens, whatever follows."""
    model = MarkovModel(1)
    source, lengths = sources(num=2)
    for first, hypotheses in enumerate(
        decode_best(model, source, lengths, options(max_length=1, sampling=True, num_best=4000))
    ):
        probs = (model.table[first, BOS, 0] + model.before[0]).softmax(-1)
        probs[[0, BOS]] = 0.0  # never written
        tokens = [each.ids[0] if each.ids else EOS for each in hypotheses]
        counts = [tokens.count(token) for token in range(len(probs))]
        assert_drawn_from(counts, (probs / probs.sum()).tolist())


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-24])
def test_the_ends_of_the_unit_interval_draw_what_has_a_probability(uniform):
    log_probs = torch.tensor([[-torch.inf, 0.3, -2.0, -torch.inf], [-torch.inf, -torch.inf, -30.0, -torch.inf]])
    for changes in ({}, {"top_p": 0.999}, {"top_k": 3}):
        drawn = draw(log_probs, torch.full((2,), uniform), DecodingOptions(sampling=True, **changes))
        assert drawn[0] in (1, 2)
        assert drawn[1] == 2


def test_a_sample_is_a_function_of_seed_and_input():
    model = MarkovModel(1)
    wanted = options(sampling=True, num_best=5)
    first = [[each.ids for each in found] for found in decode_best(model, *sources(), wanted)]
    torch.manual_seed(123)
    again = [[each.ids for each in found] for found in decode_best(model, *sources(), wanted)]
    other = [[each.ids for each in found] for found in decode_best(model, *sources(), replace(wanted, seed=2))]
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))
    assert all(len({tuple(ids) for ids in found}) > 1 for found in first)


@pytest.mark.parametrize("at_limit", ["end", "cut"])
def test_the_score_of_a_sample_is_its_log_probability_under_the_model(at_limit):
    model = MarkovModel(4)
    wanted = options(sampling=True, num_best=4, temperature=2.0, top_k=4, at_limit=at_limit)
    for first, hypotheses in enumerate(decode_best(model, *sources(), wanted)):
        scores = [model.log_prob(first, each.ids, end=at_limit == "end" or len(each.ids) < 6) for each in hypotheses]
        assert [each.score for each in hypotheses] == pytest.approx(scores, rel=1e-4)
        assert scores == sorted(scores, reverse=True)


def test_a_temperature_near_0_is_greedy_search():
    model = MarkovModel(6)
    cold = decode(model, *sources(), options(sampling=True, temperature=1e-4))
    assert [each.ids for each in cold] == [each.ids for each in decode(model, *sources(), options())]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_best": 3}, r"decoding.num_best: 3 outputs do not come out of beam_size=1. Use decoding.beam_size=3"),
        ({"sampling": True, "beam_size": 2}, r"decoding.sampling: true draws outputs, and beam_size=2 searches"),
        ({"temperature": 0.5}, r"decoding.temperature: 0.5 has no effect on a search. Use decoding.sampling=true"),
        ({"top_k": 5}, r"decoding.top_k: 5 has no effect"),
        ({"top_p": 0.9}, r"decoding.top_p: 0.9 has no effect"),
    ],
)
def test_options_that_do_not_go_together_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        DecodingOptions(**changes)
