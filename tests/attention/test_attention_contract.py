"""The promises that every attention keeps, whatever its factors: one suite over all presets.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64 unless a test is about precision.
"""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from attnfocus.attention import Call

B, Q, K, D = 3, 4, 5, 8


def random_inputs(*leading: int, queries=Q, keys=K, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    shapes = ((*leading, queries, D), (*leading, keys, D), (*leading, keys, D))
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def padding_mask(lengths, keys=K):
    return (torch.arange(keys) < torch.tensor(lengths).unsqueeze(-1)).unsqueeze(-2)  # (B, 1, K)


def gradients(attention, inputs, mask, need_weights=False):
    """context and gradients (of inputs, then parameters) of a loss that tells all positions of the context apart."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    attention.zero_grad(set_to_none=True)
    context, _ = attention(*leaves, mask, need_weights)
    position = torch.arange(context.numel(), dtype=context.dtype).view_as(context)
    (context * position.cos()).sum().backward()
    return context.detach(), [leaf.grad for leaf in (*leaves, *attention.parameters())]


@pytest.mark.parametrize("need_weights", [False, True])
def test_padding_never_changes_the_result(build, preset, need_weights):
    attention, lengths = build(preset), [5, 3, 1]
    batch, mask = random_inputs(B), padding_mask(lengths)
    leaves = [tensor.clone().requires_grad_() for tensor in batch]
    context, weights = attention(*leaves, mask, need_weights)
    context.square().sum().backward()
    of_batch = [parameter.grad.clone() for parameter in attention.parameters()]
    attention.zero_grad()
    for item, length in enumerate(lengths):
        query, keys, values = (tensor[item : item + 1] for tensor in batch)
        alone = [part.clone().requires_grad_() for part in (query, keys[:, :length], values[:, :length])]
        result, alone_weights = attention(*alone, None, need_weights)
        result.square().sum().backward()
        torch.testing.assert_close(context[item], result[0])
        torch.testing.assert_close(leaves[0].grad[item], alone[0].grad[0])
        torch.testing.assert_close(leaves[1].grad[item, :length], alone[1].grad[0])
        torch.testing.assert_close(leaves[2].grad[item, :length], alone[2].grad[0])
        if need_weights:
            torch.testing.assert_close(weights[item, ..., :length], alone_weights[0])
    torch.testing.assert_close(of_batch, [parameter.grad for parameter in attention.parameters()])


@pytest.mark.parametrize("need_weights", [False, True])
def test_masked_positions_have_weight_and_gradient_exactly_zero(build, preset, need_weights):
    attention, mask = build(preset), padding_mask([5, 3, 1])
    _, (_, of_keys, of_values, *_) = gradients(attention, random_inputs(B), mask, need_weights)
    padded = ~mask.squeeze(-2)
    assert (of_keys[padded] == 0).all()
    assert (of_values[padded] == 0).all()
    assert (of_values[~padded] != 0).any()
    _, weights = attention(*random_inputs(B), mask, need_weights=True)
    assert (weights[(~mask).unsqueeze(-3).expand_as(weights)] == 0).all()


def test_a_key_masked_for_one_query_only_does_not_touch_that_query(build, preset):
    attention, (query, keys, values) = build(preset), random_inputs(B)
    mask = torch.ones(Q, K, dtype=torch.bool)
    mask[1, 2] = False
    before, _ = attention(query, keys, values, mask)
    keys[:, 2], values[:, 2] = 10 * keys[:, 2] + 1, -values[:, 2]
    after, _ = attention(query, keys, values, mask)
    assert torch.equal(before[:, 1], after[:, 1])
    assert not torch.allclose(before[:, 0], after[:, 0])


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("need_weights", [False, True])
def test_garbage_in_padding_never_leaks(build, preset, garbage, need_weights):
    attention, mask = build(preset), padding_mask([5, 3, 0])
    clean = random_inputs(B)
    dirty = [tensor.clone() for tensor in clean]
    for tensor in dirty[1:]:
        tensor[~mask.squeeze(-2)] = garbage
    expected, clean_gradients = gradients(attention, clean, mask, need_weights)
    context, dirty_gradients = gradients(attention, dirty, mask, need_weights)
    assert torch.equal(context, expected)
    for found, wanted in zip(dirty_gradients, clean_gradients, strict=True):
        assert torch.equal(found, wanted)


def test_garbage_in_padding_never_leaks_from_a_prepared_memory(build, preset):
    attention, mask = build(preset), padding_mask([5, 3, 1])
    query, keys, values = random_inputs(B)
    expected, _ = attention(query, keys, values, mask)
    keys, values = (t.masked_fill(~mask.transpose(-1, -2), math.nan) for t in (keys, values))
    at_first, _ = attention.attend(query, attention.prepare(keys, values, mask))
    at_last, _ = attention.attend(query, attention.prepare(keys, values), mask)
    torch.testing.assert_close(at_first, expected)
    torch.testing.assert_close(at_last, expected)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_nothing_to_attend_gives_zero_forward_and_backward(build, preset, need_weights, dtype):
    attention = build(preset).to(dtype)
    mask = torch.ones(B, Q, K, dtype=torch.bool)
    mask[0] = False  # a whole item
    mask[1, 2] = False  # one query
    with torch.autograd.detect_anomaly(check_nan=True):
        context, found = gradients(attention, random_inputs(B, dtype=dtype), mask, need_weights)
    assert (context[0] == 0).all()
    assert (context[1, 2] == 0).all()
    assert (context[1, 1] != 0).all()
    assert all(gradient.isfinite().all() for gradient in found)
    assert all((gradient[0] == 0).all() for gradient in found[:3])
    if need_weights:
        assert (attention(*random_inputs(B, dtype=dtype), mask, need_weights=True)[1][0] == 0).all()


def test_no_keys_at_all_gives_zero(build, preset):
    attention = build(preset)
    for need_weights in (False, True):
        context, weights = attention(*random_inputs(B, keys=0), None, need_weights)
        assert context.shape == (B, Q, attention.output_dim)
        assert (context == 0).all()
        assert weights is None or weights.shape == (B, attention.num_heads, Q, 0)


def test_weights_are_what_was_used(build, preset):
    attention, (query, keys, values) = build(preset, "attention.dropout=0.5"), random_inputs(B)
    mask = padding_mask([5, 3, 0])
    context, weights = attention(query, keys, values, mask, need_weights=True)
    assert weights.shape == (B, attention.num_heads, Q, K)
    assert (weights >= 0).all()
    sums = weights.sum(-1)
    if attention.normalizer.sums_to_one:
        torch.testing.assert_close(sums[:2], torch.ones_like(sums[:2]))
    memory = attention.prepare(keys, values, mask)
    torch.testing.assert_close(context, attention._merge_heads(weights @ memory.values))
    attention.train()
    in_training, before_dropout = attention(query, keys, values, mask, need_weights=True)
    torch.testing.assert_close(before_dropout, weights)
    assert not torch.allclose(in_training, context)


@pytest.mark.parametrize("pattern", ["full", "causal"])
@pytest.mark.parametrize("mask", [None, "padding", "random"])
@pytest.mark.parametrize("training", [False, True])
def test_both_paths_agree(build, preset, pattern, mask, training):
    attention = build(preset, f"attention/pattern={pattern}").train(training)
    masks = {"padding": padding_mask([5, 3, 0]), "random": torch.rand(B, K, K) < 0.5}
    inputs = random_inputs(B, queries=K)
    fast, fast_gradients = gradients(attention, inputs, masks.get(mask), need_weights=False)
    plain, plain_gradients = gradients(attention, inputs, masks.get(mask), need_weights=True)
    torch.testing.assert_close(fast, plain)
    torch.testing.assert_close(fast_gradients, plain_gradients)


def test_the_path_is_told_with_its_reason(build, preset):
    attention = build(preset)
    assert attention.chosen_path(Call(need_weights=True)).name == "plain"
    assert "weights were asked for" in attention.chosen_path(Call(need_weights=True)).reason
    assert attention.chosen_path().name == ("sdpa" if attention.score.is_inner_product else "plain")
    assert type(attention.score).__name__ in attention.chosen_path().reason


def test_gradients_are_those_of_the_function(build, preset):
    attention, mask = build(preset), torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.7
    mask[0, 0] = False
    inputs = [tensor.requires_grad_() for tensor in random_inputs(2, queries=3, keys=4)]

    def function(query, keys, values, *_):
        return attention(query, keys, values, mask, need_weights=True)

    assert torch.autograd.gradcheck(function, (*inputs, *attention.parameters()))
    assert torch.autograd.gradcheck(lambda *tensors: attention(*tensors[:3], mask)[0], tuple(inputs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_precision_gives_the_same(build, preset, dtype):
    inputs, mask = random_inputs(B, dtype=dtype), padding_mask([5, 3, 0])
    exact, exact_weights = build(preset)(*(tensor.double() for tensor in inputs), mask, need_weights=True)
    attention = build(preset).to(dtype)
    tolerance = {torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 0.15}[dtype]
    for need_weights in (False, True):
        context, weights = attention(*inputs, mask, need_weights)
        assert context.dtype == dtype
        torch.testing.assert_close(context.double(), exact, atol=tolerance, rtol=tolerance)
        if weights is not None:
            assert weights.dtype == dtype
            torch.testing.assert_close(weights.double(), exact_weights, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_the_same(build, preset, need_weights, dtype):
    attention, inputs = build(preset).float(), random_inputs(B, dtype=torch.float32)
    mask = padding_mask([5, 3, 0])
    exact, exact_gradients = gradients(attention, inputs, mask, need_weights)
    with torch.autocast("cpu", dtype):
        context, found = gradients(attention, inputs, mask, need_weights)
    torch.testing.assert_close(context.float(), exact, atol=0.15, rtol=0.15)
    for gradient, wanted in zip(found, exact_gradients, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - wanted).norm() <= 0.1 * wanted.norm() + 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("sign", [1, -1])
def test_large_scores_do_not_overflow_a_mask(build, preset, dtype, sign):
    attention = build(preset).to(dtype)
    query, keys, values = random_inputs(B, dtype=dtype)
    query, keys = 30 * query.abs(), sign * 30 * keys.abs()  # all scores of one sign: the masked ones must not win
    for need_weights in (False, True):
        context, weights = attention(query, keys, values, padding_mask([5, 3, 1]), need_weights)
        assert context.isfinite().all()
        if weights is not None and attention.normalizer.sums_to_one:
            assert (weights.sum(-1) > 0.9).all()


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (2, 1, 3)])
def test_any_number_of_leading_dimensions(build, preset, leading):
    attention, inputs = build(preset), random_inputs(*leading)
    mask = torch.rand(*leading, Q, K) < 0.7
    for need_weights in (False, True):
        context, weights = attention(*inputs, mask, need_weights)
        assert context.shape == (*leading, Q, attention.output_dim)
        for place in itertools.product(*(range(size) for size in leading)):
            alone, alone_weights = attention(*(tensor[place] for tensor in inputs), mask[place], need_weights)
            torch.testing.assert_close(context[place], alone)
            if need_weights:
                torch.testing.assert_close(weights[place], alone_weights)


@pytest.mark.parametrize("shape", [(K,), (1, K), (Q, K), (Q, 1), (B, 1, K), (1, Q, K), (B, Q, 1), (B, 1, 1)])
def test_masks_broadcast(build, preset, shape):
    attention, inputs = build(preset), random_inputs(B)
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.6
    for need_weights in (False, True):
        torch.testing.assert_close(
            attention(*inputs, mask, need_weights), attention(*inputs, mask.expand(B, Q, K), need_weights)
        )


def test_one_query_serves_a_whole_batch(build, preset):
    attention, (query, keys, values) = build(preset), random_inputs(B)
    learned, mask = query[0], padding_mask([5, 3, 1])
    for need_weights in (False, True):
        torch.testing.assert_close(
            attention(learned, keys, values, mask, need_weights),
            attention(learned.expand(B, Q, D), keys, values, mask, need_weights),
        )


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_shape_and_mask_gives_one_answer(build, preset, data):
    leading = data.draw(st.lists(st.integers(1, 3), max_size=2))
    queries, keys = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    bits = data.draw(st.lists(st.booleans(), min_size=queries * keys, max_size=queries * keys))
    mask = torch.tensor(bits).view(queries, keys)
    pattern = data.draw(st.sampled_from(["full", "causal"]))
    attention = build(preset, f"attention/pattern={pattern}")
    inputs = random_inputs(*leading, queries=queries, keys=keys)
    fast, _ = attention(*inputs, mask)
    plain, weights = attention(*inputs, mask, need_weights=True)
    torch.testing.assert_close(fast, plain)
    assert (weights.masked_select(~mask) == 0).all()
    nothing = (weights == 0).all(-1).all(-2)  # (..., Q)
    assert (plain[nothing] == 0).all()
    assert (fast[nothing] == 0).all()


def test_steps_over_a_prepared_memory_equal_one_call(build, preset):
    attention, (query, keys, values) = build(preset), random_inputs(B)
    mask = padding_mask([5, 3, 0])
    whole, weights = attention(query, keys, values, mask, need_weights=True)
    memory = attention.prepare(keys, values, mask)
    steps = [attention.attend(query[:, i : i + 1], memory, need_weights=True) for i in range(Q)]
    torch.testing.assert_close(torch.cat([context for context, _ in steps], dim=-2), whole)
    torch.testing.assert_close(torch.cat([row for _, row in steps], dim=-2), weights)
    narrowed, _ = attention.attend(query, memory, torch.arange(K) < 2)
    torch.testing.assert_close(narrowed, attention(query, keys, values, mask & (torch.arange(K) < 2))[0])


def test_values_are_the_keys_unless_given(build, preset):
    attention, (query, keys, _) = build(preset), random_inputs(B)
    torch.testing.assert_close(attention(query, keys)[0], attention(query, keys, keys)[0])


def test_nothing_depends_on_values_on_the_host(build, preset):
    """On the meta device tensors have no values: whatever looked at one would raise."""
    attention = build(preset, "attention/pattern=causal").to("meta")
    inputs, mask = [tensor.to("meta") for tensor in random_inputs(B)], torch.ones(B, 1, K, dtype=torch.bool)
    for need_weights in (False, True):
        assert attention(*inputs, mask.to("meta"), need_weights)[0].shape == (B, Q, attention.output_dim)


VIEWS = {"unsqueeze", "squeeze", "expand", "view", "_unsafe_view", "t", "transpose", "select", "slice", "detach"}


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_without_a_mask_nothing_is_masked(build, preset):
    attention, (query, keys, values) = build(preset), random_inputs(B)
    for need_weights in (False, True):
        with torch.inference_mode(), Recorder() as recorder:
            attention(query, keys, values, None, need_weights)
        assert not {"masked_fill", "bitwise_not", "bitwise_and", "bitwise_or", "any", "where"} & set(recorder.names)


def test_a_decoding_step_does_no_work_on_the_keys(build, preset):
    """What depends on the keys alone was done by `prepare`: a step has few kernels and clears nothing again."""
    attention, (query, keys, values) = build(preset), random_inputs(B, queries=1, keys=400)
    memory = attention.prepare(keys, values, padding_mask([400, 300, 200], keys=400))
    with torch.no_grad(), Recorder() as recorder:
        attention.attend(query, memory)
    kernels = [name for name in recorder.names if name not in VIEWS]
    assert kernels.count("masked_fill") <= 2  # of the scores and weights, or of the context
    assert len(kernels) <= 20, kernels
