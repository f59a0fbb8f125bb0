"""The promises that every attention keeps, over all presets and over every pair of factors that go together.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64 unless a test is about precision.
"""

import itertools

import pytest
import torch
from attention_pairs import COMBINATIONS, PAIRS, each_choice_once, refusal
from attention_presets import FACTORS, PRESETS, composed
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from attnfocus.attention import Attention, Call
from attnfocus.attention.contract import CHECKS, Check, check_promises
from attnfocus.attention.contract.results import check_gradients
from attnfocus.attention.contract.trial import (
    B,
    D,
    outcome,
    padding_mask,
    random_attention,
    random_inputs,
    sizes,
    takes,
)


def test_every_preset_keeps_every_promise(factory):
    check_promises(factory)


def some_checks(number: int) -> list[Check]:
    """Three of the promises, in turn."""
    return [CHECKS[(number + 3 * turn) % len(CHECKS)] for turn in range(3)]


def test_every_pair_of_factors_keeps_some_promises(combination, number_of_combination):
    """Three checks of each row; each pair stands in several rows. The test below has the others."""
    for check in some_checks(number_of_combination):
        check(combination)


ROWS = list(COMBINATIONS)
WITH_GRADIENTS = [name for number, name in enumerate(ROWS) if check_gradients in some_checks(number)]
# Autograd itself joins the gradients of factors, and the check of the paths compares them in every row.
MORE_GRADIENTS = each_choice_once([*WITH_GRADIENTS, *ROWS]) - set(WITH_GRADIENTS)


@pytest.mark.slow
def test_every_pair_of_factors_keeps_the_other_promises(combination, number_of_combination):
    """Gradients are compared with differences for every choice, in a quarter of the rows."""
    for check in CHECKS:
        if check is check_gradients and ROWS[number_of_combination] not in MORE_GRADIENTS:
            continue
        if check not in some_checks(number_of_combination):
            check(combination)


def test_a_pair_that_is_refused_has_a_reason_and_a_way_out():
    reasons = [reason for pair in PAIRS if (reason := refusal(*pair)) is not None]
    assert all(len(reason.splitlines()) == 1 for reason in reasons)
    assert all(": use " in reason.lower() or ". use " in reason.lower() for reason in reasons), reasons
    assert len(reasons) < len(PAIRS) / 4  # the algebra is one because most of it combines


# What holds besides, over all presets.


def test_masks_broadcast(factory):
    attention = random_attention(factory)
    (num_queries, num_keys), inputs = sizes(attention), random_inputs(attention, B)
    axes = {"B": B, "Q": num_queries, "K": num_keys, "1": 1}
    for shape in ("K", "1K", "QK", "Q1", "B1K", "1QK", "BQ1", "B11"):
        mask = torch.rand([axes[axis] for axis in shape], generator=torch.Generator().manual_seed(1)) < 0.6
        by_query = mask.dim() > 1 and mask.shape[-2] > 1
        if by_query and not takes(attention, inputs, mask):
            continue
        whole = mask.expand(B, num_queries if by_query else 1, num_keys)
        for need_weights in (False, True):
            narrow, wide = (attention(*inputs, given, need_weights) for given in (mask, whole))
            torch.testing.assert_close(narrow, wide, msg=lambda text, shape=shape: f"mask {shape}: {text}")


def test_one_query_serves_a_whole_batch(factory):
    attention = random_attention(factory)
    (num_queries, num_keys), (query, keys, values) = sizes(attention), random_inputs(attention, B)
    learned, mask = query[0], padding_mask([num_keys, num_keys - 2, 1], num_keys)
    for need_weights in (False, True):
        torch.testing.assert_close(
            attention(learned, keys, values, mask, need_weights),
            attention(learned.expand(B, num_queries, D), keys, values, mask, need_weights),
        )


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_shape_and_mask_gives_one_answer(factory, data):
    attention = random_attention(factory)
    leading = data.draw(st.lists(st.integers(1, 3), max_size=2))
    keys = data.draw(st.integers(1, 5))
    queries = data.draw(st.integers(1, keys if attention.same_sequence_only else 4))
    inputs = random_inputs(attention, *leading, queries=queries, keys=keys)
    rows = queries if takes(attention, inputs, torch.ones(queries, keys, dtype=torch.bool)) else 1
    bits = data.draw(st.lists(st.booleans(), min_size=rows * keys, max_size=rows * keys))
    mask = torch.tensor(bits).view(rows, keys)
    fast, _ = attention(*inputs, mask)
    plain, weights = attention(*inputs, mask, need_weights=True)
    torch.testing.assert_close(fast, plain)
    assert (weights.masked_select(~mask) == 0).all()
    nothing = (weights == 0).all(-1).all(-2)  # (..., Q)
    assert (plain[nothing] == 0).all()
    assert (fast[nothing] == 0).all()


def test_gradients_under_autocast_are_near(factory):
    attention = random_attention(factory).float()
    if isinstance(attention, Attention) and attention.pattern.is_selective:
        return  # which of two near scores is larger may change
    num_keys, inputs = sizes(attention)[1], random_inputs(attention, B, dtype=torch.float32)
    mask = padding_mask([num_keys, num_keys - 2, 0], num_keys)
    for dtype, need_weights in itertools.product((torch.bfloat16, torch.float16), (False, True)):
        _, _, exact = outcome(attention, inputs, mask, need_weights)
        with torch.autocast("cpu", dtype):
            _, _, found = outcome(attention, inputs, mask, need_weights)
        for gradient, wanted in zip(found, exact, strict=True):
            assert gradient.dtype == torch.float32, dtype
            assert (gradient - wanted).norm() <= 0.1 * wanted.norm() + 0.1, (dtype, need_weights)


def test_prepared_memory_may_be_narrowed_later(factory):
    attention = random_attention(factory)
    num_keys, (query, keys, values) = sizes(attention)[1], random_inputs(attention, B)
    mask, first = padding_mask([num_keys, 3, 1], num_keys), torch.arange(num_keys) < 2
    hidden = ~mask.transpose(-1, -2)
    dirty = keys.masked_fill(hidden, torch.nan), values.masked_fill(hidden, torch.nan)
    try:
        attention.attend(query, attention.prepare(keys, values), mask)
    except ValueError:  # keys that were mixed with each other cannot be masked any more, and say so
        with pytest.raises(ValueError, match="prepare"):
            attention.attend(query, attention.prepare(keys, values, mask), first)
        return
    at_last, _ = attention.attend(query, attention.prepare(*dirty), mask)
    narrowed, _ = attention.attend(query, attention.prepare(keys, values, mask), first)
    torch.testing.assert_close(at_last, attention(query, keys, values, mask)[0])
    torch.testing.assert_close(narrowed, attention(query, keys, values, mask & first)[0])


def test_values_are_the_keys_unless_given(factory):
    attention = random_attention(factory)
    query, keys, _ = random_inputs(attention, B)
    torch.testing.assert_close(attention(query, keys)[0], attention(query, keys, keys)[0])


def test_nothing_depends_on_values_on_the_host(factory):
    """On the meta device tensors have no values: whatever looked at one would raise."""
    attention = random_attention(factory)
    inputs, mask = [tensor.to("meta") for tensor in random_inputs(attention, B)], torch.ones(B, 1, 6, dtype=torch.bool)
    for need_weights in (False, True):
        context, _ = attention.to("meta")(*inputs, mask.to("meta"), need_weights)
        assert context.shape == (B, inputs[0].shape[-2], attention.output_dim)


def test_the_path_is_told_with_its_reason(factory):
    attention = random_attention(factory)
    with_weights = attention.chosen_path(Call(need_weights=True))
    assert with_weights.name == "plain"
    assert "weights were asked for" in with_weights.reason or attention.uses_history
    assert len(attention.chosen_path(Call()).reason.splitlines()) == 1


NO_KERNELS = {"unsqueeze", "squeeze", "expand", "view", "_unsafe_view", "t", "transpose", "select", "slice", "detach"}
NO_KERNELS |= {"promote_types"}  # a question


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def is_plain_point(preset):
    """Softmax over a score alone: nothing but the score, the mask and the values has any work to do."""
    node = composed(f"attention={preset}")
    chosen = {factor: node[factor]["_target_"].rsplit(".", 1)[-1] for factor in FACTORS if factor in node}
    return node["_target_"].endswith(".Attention") and list(chosen.values())[1:] == [
        "Softmax",
        "FullPattern",
        "NoPosition",
    ]


@pytest.mark.parametrize("plain_point", [preset for preset in PRESETS if is_plain_point(preset)])
def test_without_a_mask_nothing_is_masked(build, plain_point):
    attention = build(plain_point)
    with torch.inference_mode(), Recorder() as recorder:
        for need_weights in (False, True):
            attention(*random_inputs(attention, B), None, need_weights)
    assert not {"masked_fill", "bitwise_not", "bitwise_and", "bitwise_or", "any", "where"} & set(recorder.names)


@pytest.mark.parametrize("plain_point", [preset for preset in PRESETS if is_plain_point(preset)])
def test_a_decoding_step_does_no_work_on_the_keys(build, plain_point):
    """What depends on the keys alone was done by `prepare`: a step has few kernels and clears nothing again."""
    attention = build(plain_point)
    query, keys, values = random_inputs(attention, B, queries=1, keys=400)
    memory = attention.prepare(keys, values, padding_mask([400, 300, 200], 400))
    if attention.uses_history:
        return
    with torch.no_grad(), Recorder() as recorder:
        attention.attend(query, memory)
    kernels = [name for name in recorder.names if name not in NO_KERNELS]
    assert kernels.count("masked_fill") <= 2  # of the scores and weights, or of the context
    assert len(kernels) <= 20, kernels
