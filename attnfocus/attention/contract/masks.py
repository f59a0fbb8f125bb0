"""The checks of what a mask promises.

Shapes: B items, H heads, Q queries, K keys, D sizes. Masks are bool, True = may attend.
"""

import copy
import itertools
import math

import torch
from torch import Tensor

from attnfocus.attention.algebra import Attention
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.contract.trial import (
    B,
    outcome,
    padding_mask,
    promise,
    random_inputs,
    require,
    seeded,
    sizes,
    takes,
)


@promise("padding never changes a result: a padded batch equals its items one by one, outputs and gradients")
def check_padding(attention: BaseAttention) -> None:
    num_queries, num_keys = sizes(attention)
    lengths = [num_keys, num_keys - 2, 1]
    rows = lengths if attention.same_sequence_only else [num_queries] * B
    inputs, mask = random_inputs(attention, B), padding_mask(lengths, num_keys)
    for need_weights in (False, True):
        batch = outcome(attention, inputs, mask, need_weights, rows)
        sums: list[Tensor] = [torch.zeros_like(parameter) for parameter in attention.parameters()]
        for item, (length, row) in enumerate(zip(lengths, rows, strict=True)):
            query, keys, values = (tensor[item : item + 1] for tensor in inputs)
            alone = outcome(attention, [query[:, :row], keys[:, :length], values[:, :length]], None, need_weights)
            torch.testing.assert_close(batch[0][item, :row], alone[0][0])
            if batch[1] is not None and alone[1] is not None:
                torch.testing.assert_close(batch[1][item, :, :row, :length], alone[1][0])
            for of_batch, of_item, count in zip(batch[2], alone[2][:3], (row, length, length), strict=False):
                torch.testing.assert_close(of_batch[item, :count], of_item[0])
            sums = [total + gradient for total, gradient in zip(sums, alone[2][3:], strict=True)]
        torch.testing.assert_close(batch[2][3:], sums)


@promise("masked positions have weight and gradient exactly 0")
def check_masked_positions(attention: BaseAttention) -> None:
    num_queries, num_keys = sizes(attention)
    mask = padding_mask([num_keys, num_keys - 2, 1], num_keys)
    padded = ~mask.squeeze(-2)
    for need_weights in (False, True):
        _, _, (_, of_keys, of_values, *_) = outcome(attention, random_inputs(attention, B), mask, need_weights)
        require((of_keys[padded] == 0).all(), "the gradient of padded keys is not 0")
        require((of_values[padded] == 0).all(), "the gradient of padded values is not 0")
        require((of_values[~padded] != 0).any(), "no value has a gradient")
    _, weights = attention(*random_inputs(attention, B), mask, need_weights=True)
    require((weights[(~mask).unsqueeze(-3).expand_as(weights)] == 0).all(), "a padded key has a weight")
    narrow = torch.ones(num_queries, num_keys, dtype=torch.bool)
    narrow[0, 0] = False
    inputs = random_inputs(attention, B)
    if not takes(attention, inputs, narrow):
        return
    before, _ = attention(*inputs, narrow)
    changed = [inputs[0], inputs[1].clone(), inputs[2].clone()]
    changed[1][:, 0], changed[2][:, 0] = 10 * inputs[1][:, 0] + 1, -inputs[2][:, 0]
    after, _ = attention(*changed, narrow)
    torch.testing.assert_close(before[:, 0], after[:, 0], rtol=1e-12, atol=1e-12)


@promise("NaN and infinity in padding never leak into a result or a gradient")
def check_garbage(attention: BaseAttention) -> None:
    num_keys = sizes(attention)[1]
    mask = padding_mask([num_keys, num_keys - 2, 0], num_keys)
    clean = random_inputs(attention, B)
    hidden = ~mask.transpose(-1, -2)
    for need_weights in (False, True):
        expected, _, clean_gradients = outcome(attention, clean, mask, need_weights)
        for garbage in (math.nan, math.inf, -math.inf):
            dirty = [clean[0], *(tensor.masked_fill(hidden, garbage) for tensor in clean[1:])]
            context, _, dirty_gradients = outcome(attention, dirty, mask, need_weights)
            require(torch.equal(context, expected), f"{garbage} in padding changes the context")
            require(all(map(torch.equal, dirty_gradients, clean_gradients)), f"{garbage} in padding changes a gradient")


@promise("NaN and infinity in the padding of a sequence that looks at itself never leak, though its queries hold them")
def check_own_garbage(attention: BaseAttention) -> None:
    if attention.decoders_only:
        return
    num_keys = sizes(attention)[1]
    lengths, sequence = [num_keys, num_keys - 2, 0], random_inputs(attention, B)[1]
    mask = padding_mask(lengths, num_keys)
    hidden = ~mask.transpose(-1, -2)
    for need_weights in (False, True):
        expected, _, clean_gradients = outcome(attention, [sequence], mask, need_weights, lengths)
        for garbage in (math.nan, math.inf, -math.inf, 1e300):
            dirty = sequence.masked_fill(hidden, garbage)
            context, weights, gradients = outcome(attention, [dirty], mask, need_weights, lengths)
            require(context.isfinite().all(), f"{garbage} in padding is in the context")
            require(weights is None or weights.isfinite().all(), f"{garbage} in padding is in the weights")
            require(torch.equal(context[~hidden.squeeze(-1)], expected[~hidden.squeeze(-1)]), f"{garbage} leaks")
            require(all(map(torch.equal, gradients, clean_gradients)), f"{garbage} in padding changes a gradient")


@promise("a mask for each head is to that head what a mask is to all; or it is refused by name")
def check_head_masks(attention: BaseAttention) -> None:
    inputs, (num_queries, num_keys) = random_inputs(attention, B), sizes(attention)
    shape = B, attention.num_heads, num_queries, num_keys
    of_heads = torch.rand(shape, generator=seeded()) < 0.6
    if attention.head_mask_problem is not None:
        try:
            attention(*inputs, head_mask=of_heads)
        except ValueError:
            return
        require(False, "it says that it takes no head_mask, and takes one")
    padding = padding_mask([num_keys, num_keys - 2, 1], num_keys)
    fast, _ = attention(*inputs, head_mask=of_heads)
    context, weights = attention(*inputs, None, True, head_mask=of_heads)
    torch.testing.assert_close(fast, context)
    require((weights[~of_heads] == 0).all(), "a masked position has a weight")
    for head in range(attention.num_heads):
        _, alone = attention(*inputs, of_heads[:, head], True)
        torch.testing.assert_close(weights[:, head], alone[:, head])
    both, _ = attention(*inputs, padding, head_mask=of_heads)
    torch.testing.assert_close(both, attention(*inputs, head_mask=of_heads & padding.unsqueeze(1))[0])


@promise("a row with nothing to attend gives 0, forward and backward")
def check_nothing_to_attend(attention: BaseAttention) -> None:
    num_queries, num_keys = sizes(attention)
    may_be_nothing = isinstance(attention, Attention) and attention.normalizer.needs_positive
    for dtype, need_weights in itertools.product((torch.float64, torch.float16), (False, True)):
        of_dtype, inputs = copy.deepcopy(attention).to(dtype), random_inputs(attention, B, dtype=dtype)
        mask = torch.ones(B, num_queries, num_keys, dtype=torch.bool)
        mask[0] = False  # a whole item
        mask[1, 2] = False  # one query
        by_query = takes(of_dtype, inputs, mask)
        context, weights, gradients = outcome(of_dtype, inputs, mask if by_query else mask[:, :1], need_weights)
        require((context[0] == 0).all(), "the context of an empty item is not 0")
        require(not by_query or (context[1, 2] == 0).all(), "the context of an empty row is not 0")
        require(may_be_nothing or (context[1, 1] != 0).any(), "a row that may attend has no context")
        require(all(gradient.isfinite().all() for gradient in gradients), "a gradient is not finite")
        require(all((gradient[0] == 0).all() for gradient in gradients[:3]), "an empty item has a gradient")
        require(weights is None or (weights[0] == 0).all(), "an empty item has weights")
    nothing = random_inputs(attention, B, queries=0 if attention.same_sequence_only else num_queries, keys=0)
    context, _ = attention(*nothing)
    require(context.shape == (B, nothing[0].shape[1], attention.output_dim), "no keys at all change the shape")
    require((context == 0).all(), "no keys at all give something")
