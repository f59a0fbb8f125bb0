"""The contract finds out what is wrong: attentions that each break a promise, and the promise that must say so."""

import functools
from pathlib import Path

import pytest
import torch

from attnfocus.attention import (
    Attention,
    CausalPattern,
    FullPattern,
    Normalizer,
    Pattern,
    ScaledDotScore,
    Score,
    Softmax,
)
from attnfocus.attention.contract import CHECKS, AttentionCrashError, check_promises
from attnfocus.errors import ConfigError


class Unmasked(Normalizer):
    def forward(self, scores, mask):
        return torch.softmax(scores, dim=-1)


class FaintlyMasked(Normalizer):
    def forward(self, scores, mask):
        return torch.softmax(scores if mask is None else scores.masked_fill(~mask, -40.0), dim=-1)


class NotANumberWhenEmpty(Normalizer):
    def forward(self, scores, mask):
        return torch.softmax(scores if mask is None else scores.masked_fill(~mask, -torch.inf), dim=-1)


class OfTwiceItsSum(Softmax):
    def forward(self, scores, mask):
        return 2 * super().forward(scores, mask)


class AcrossTheBatch(Softmax):
    def forward(self, scores, mask):
        return super().forward(scores + (scores.mean(0, keepdim=True) if scores.dim() > 3 else 0), mask)


class OfHalfPrecision(Normalizer):
    def forward(self, scores, mask):
        powers = scores.exp() if mask is None else scores.exp().masked_fill(~mask, 0.0)
        return powers / powers.sum(-1, keepdim=True).clamp(min=1e-30 if scores.dtype == torch.float64 else 1e-7)


class WrongBackward(ScaledDotScore):
    def forward(self, query, keys):
        scores = super().forward(query, keys)
        return scores + (scores - scores.detach())  # the same number, twice the gradient


class CountsFromTheFirstQuery(CausalPattern):
    is_causal = False

    def allows(self, places):
        return places.keys.unsqueeze(-2) <= (places.queries - places.queries[..., :1]).unsqueeze(-1)


class ForgetsABlock(Pattern):
    same_sequence_only = True
    block_size = 2

    def allows(self, places):
        return places.offsets.abs() <= 2

    def blocks(self, num_blocks):
        return torch.arange(num_blocks).unsqueeze(-1)


class DependsOnTheNumberOfKeys(Softmax):
    def forward(self, scores, mask):
        return super().forward(scores * scores.shape[-1], mask)


class TellsOtherWeights(Attention):
    def mix(self, *arguments):
        context, weights = super().mix(*arguments)
        if weights is None:
            return context, None
        sharper = weights.square()
        return context, sharper / sharper.sum(-1, keepdim=True).clamp(min=torch.finfo(sharper.dtype).tiny)


class DoesNotKnowItself(Attention):
    def forward(self, query, *arguments, **named):
        return super().forward(query.clone(), *arguments, **named)


class HeedsNoHeadMask(Attention):
    def forward(self, *arguments, head_mask=None, **named):
        return super().forward(*arguments, **named)


@pytest.mark.parametrize(
    ("wrong", "promise"),
    [
        ({"normalizer": Unmasked}, "padding never changes a result"),
        ({"normalizer": FaintlyMasked}, "masked positions have weight and gradient exactly 0"),
        ({"normalizer": NotANumberWhenEmpty}, "a row with nothing to attend gives 0"),
        ({"normalizer": OfTwiceItsSum}, "weights are >= 0, sum to 1"),
        ({"normalizer": AcrossTheBatch}, "any number of leading dimensions"),
        ({"normalizer": OfHalfPrecision}, "float32, bfloat16 and float16"),
        ({"normalizer": DependsOnTheNumberOfKeys}, "padding never changes a result"),
        ({"score": WrongBackward}, "gradients are those of the function"),
        ({"pattern": CountsFromTheFirstQuery}, "queries in pieces"),
        ({"pattern": ForgetsABlock}, "every path gives the same"),
    ],
    ids=lambda value: next(iter(value.values())).__name__ if isinstance(value, dict) else "",
)
def test_a_broken_promise_is_named(wrong, promise):
    factory = functools.partial(Attention, **{"score": ScaledDotScore, "pattern": FullPattern, **wrong})
    broken = []
    for check in CHECKS:
        try:
            check(factory)
        except AssertionError as error:
            broken.append(str(error))
    assert any(text.startswith(f"promise broken: {promise}") for text in broken), broken
    with pytest.raises(AssertionError, match="promise broken: "):
        check_promises(factory)


def test_weights_that_were_not_used_are_found_out():
    with pytest.raises(AssertionError, match=r"promise broken: .* are what was used"):
        check_promises(functools.partial(TellsOtherWeights, score=ScaledDotScore))


@pytest.mark.parametrize(
    ("wrong", "promise"), [(DoesNotKnowItself, "looks at itself never leak"), (HeedsNoHeadMask, "a mask for each head")]
)
def test_an_attention_that_breaks_a_promise_about_masks_is_found_out(wrong, promise):
    with pytest.raises(AssertionError, match=f"promise broken: .*{promise}"):
        check_promises(functools.partial(wrong, score=ScaledDotScore, num_heads=2))


def test_the_checks_leave_the_random_state_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check_promises(functools.partial(Attention, score=ScaledDotScore, num_heads=2))
    assert torch.equal(torch.rand(3), expected)


class Crashes(Score):
    def forward(self, query, keys):
        return query @ keys  # which are not turned


class Asserts(Softmax):
    def forward(self, scores, mask):
        assert mask is None, "no masks here"
        return super().forward(scores, mask)


def test_an_exception_in_the_code_of_an_attention_is_told_as_a_crash():
    with pytest.raises(AttentionCrashError) as caught:
        check_promises(functools.partial(Attention, score=Crashes))
    line = Crashes.forward.__code__.co_firstlineno + 1
    assert str(caught.value).startswith(f"crash, in {Path(__file__).resolve()}, line {line}: RuntimeError: ")
    assert "\nCrashes.forward was called with query=(3, 1, 4, 8) float64, keys=(3, 1, 6, 8) float64" in str(
        caught.value
    )
    assert "\nwhile this was checked: padding never changes a result" in str(caught.value)
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(AttentionCrashError, match="AssertionError: no masks here"):
        check_promises(functools.partial(Attention, score=ScaledDotScore, normalizer=Asserts))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Attention, ["Attention", "missing a required", "'score'", "normalizer"]),
        (functools.partial(Attention, score=ScaledDotScore, scores=1), ["'scores'", "It takes", "score, normalizer"]),
        (ScaledDotScore(query_dim=8, key_dim=8, num_heads=1), ["got a ScaledDotScore", "functools.partial"]),
        (lambda query_dim, key_dim: torch.nn.Linear(query_dim, key_dim), ["makes no attention, but Linear"]),
    ],
)
def test_a_factory_that_cannot_be_called_is_refused_by_name(given, words):
    with pytest.raises(ConfigError) as caught:
        check_promises(given)
    assert all(word in str(caught.value) for word in ["factory: ", *words]), str(caught.value)
