"""The checks of what is computed, and in which ways.

Shapes: B items, H heads, Q queries, K keys, D sizes. Masks are bool, True = may attend.
"""

import copy
import itertools
from typing import Any

import torch
from torch import Tensor

from attnfocus.attention import paths
from attnfocus.attention.algebra import Attention
from attnfocus.attention.base import BaseAttention
from attnfocus.attention.contract.trial import (
    B,
    outcome,
    padding_mask,
    promise,
    random_inputs,
    require,
    require_near,
    seeded,
    sizes,
    takes,
)

HALF = (torch.bfloat16, torch.float16)
# What a result may be off by, as a part of its norm. Half precision keeps 8 and 11 binary digits.
TOLERANCE = {torch.float32: 1e-4, torch.float16: 3e-2, torch.bfloat16: 0.2}


@promise("weights are >= 0, sum to 1 where they are distributions, and are what was used, before dropout")
def check_weights(attention: BaseAttention) -> None:
    num_queries, num_keys = sizes(attention)
    lengths, (query, keys, values) = [num_keys, num_keys - 2, 0], random_inputs(attention, B)
    mask = padding_mask(lengths, num_keys)
    context, weights = attention(query, keys, values, mask, need_weights=True)
    require(weights.shape == (B, attention.num_heads, num_queries, num_keys), f"they have shape {tuple(weights.shape)}")
    if attention.weights_are_nonnegative:
        require((weights >= 0).all(), "a weight is negative")
    sums = weights.sum(-1)
    if attention.weights_are_distributions:
        require((((sums - 1).abs() < 1e-9) | (sums == 0)).all(), "a row sums neither to 1 nor to 0")
        for item, length in enumerate(lengths):
            of_real = sums[item, :, :length] if attention.same_sequence_only else sums[item] * (length > 0)
            require(length == 0 or (of_real > 0.5).all(), "a row with something to attend has no weights")
    dropping = copy.deepcopy(attention).train()
    dropping.dropout = 0.5
    _, before_dropout = dropping(query, keys, values, mask, need_weights=True)
    torch.testing.assert_close(before_dropout, weights)
    if attention.excludes_itself:
        return  # what is left of the weighed values depends on one of them
    # Values may move in every way that the weights of a row do not see, and the context of that row stays.
    unseen = torch.linalg.svd(weights[0, :, -1])[2][attention.num_heads :]  # orthogonal to the row in every head
    moved = values.clone()
    moved[0] += unseen.sum(0).unsqueeze(-1)
    unmoved, _ = attention(query, keys, moved, None, need_weights=True)
    torch.testing.assert_close(unmoved[0, -1], context[0, -1], rtol=1e-7, atol=1e-9)
    of_row = weights[0, :, -1].sum(0)
    if of_row.norm() > 1e-4:  # a row may have no weights to speak of
        twice, _ = attention(query, keys, values + (of_row / of_row.norm()).unsqueeze(-1), None, need_weights=True)
        require(not torch.allclose(twice[0, -1], context[0, -1]), "the weights are not those that made the context")


@promise("every path gives the same, in training and evaluation, and says its name and reason")
def check_paths(attention: BaseAttention) -> None:
    block = attention.pattern.block_size if isinstance(attention, Attention) else None
    num_queries, num_keys = sizes(attention, 0 if block is None else 3 * block + 1)
    inputs = random_inputs(attention, B, queries=num_queries, keys=num_keys)
    possible = torch.rand(B, num_queries, num_keys, generator=seeded()) < 0.7
    masks = [None, padding_mask([num_keys, num_keys - 2, 0], num_keys), possible]
    copies: dict[str, Any] = {path: copy.deepcopy(attention) for path in _paths(attention)}
    for mask, training in itertools.product(masks, (False, True)):
        if mask is possible and not takes(attention, inputs, mask):
            continue
        attention.train(training)
        plain = outcome(attention, inputs, mask, need_weights=True)
        for path, of_path in copies.items():
            of_path.wanted_path, of_path.chunk_weights = path, 100  # so few that short inputs fill several chunks
            context, _, gradients = outcome(of_path.train(training), inputs, mask)
            found, expected = [context, *gradients], [plain[0], *plain[2]]
            near = all(torch.allclose(a, b, rtol=1e-7, atol=1e-7) for a, b in zip(found, expected, strict=True))
            require(near, f"path {path} gives something else than the plain one")
    described: Any = attention
    for call in (paths.Call(), paths.Call(need_weights=True)):
        choice = described.chosen_path(call)
        require(choice.name in ("plain", "sdpa", "flex", "chunked", "linear"), f"no path is called {choice.name}")
        require(choice.reason, "a path gives no reason")


@promise("gradients are those of the function")
def check_gradients(attention: BaseAttention) -> None:
    inputs = [tensor.requires_grad_() for tensor in random_inputs(attention, 2)]
    mask = torch.rand(2, *sizes(attention), generator=seeded()) < 0.7
    mask[0, 0] = False
    if not takes(attention, inputs, mask):
        mask = mask[:, 1:2]

    for need_weights in (False, True):

        def function(*tensors: Tensor, need_weights: bool = need_weights) -> Any:
            context, weights = attention(*tensors[:3], mask, need_weights)
            return context if weights is None else (context, weights)

        require(torch.autograd.gradcheck(function, (*inputs, *attention.parameters()), fast_mode=True), "gradcheck")


@promise("float32, bfloat16 and float16 give the same, and large scores do not overflow a mask")
def check_precision(attention: BaseAttention) -> None:
    num_keys = sizes(attention)[1]
    mask = padding_mask([num_keys, num_keys - 2, 0], num_keys)
    # A choice between scores that round to the same number may fall either way.
    is_selective = isinstance(attention, Attention) and attention.pattern.is_selective
    is_bounded = not isinstance(attention, Attention) or attention.normalizer.is_bounded
    for dtype, need_weights in itertools.product((torch.float32, *HALF), (False, True)):
        inputs, rounded = random_inputs(attention, B, dtype=dtype), copy.deepcopy(attention).to(dtype)
        exact, _ = copy.deepcopy(rounded).double()(*(tensor.double() for tensor in inputs), mask)
        context, weights = rounded(*inputs, mask, need_weights)
        require(context.dtype == dtype, f"the context does not stay {dtype}")
        require(weights is None or weights.dtype == dtype, f"weights do not stay {dtype}")
        require((context[2] == 0).all(), f"an empty item is not 0 in {dtype}")
        if is_selective and dtype in HALF:
            require(context.isfinite().all(), f"a context is not finite in {dtype}")
        else:
            require_near(context, exact, TOLERANCE[dtype], str(dtype))
        if not is_bounded and dtype == torch.float16:  # large weights may be beyond what it holds
            continue
        for sign in (1, -1):  # all scores of one sign: the masked ones must not win
            query, keys, values = 30 * inputs[0].abs(), sign * 30 * inputs[1].abs(), inputs[2]
            large, weights = rounded(query, keys, values, mask, need_weights)
            require(large.isfinite().all(), f"large scores overflow in {dtype}")
            if weights is not None and attention.weights_are_distributions:
                require((weights[0].sum(-1) > 0.9).all(), f"large scores lose their weights in {dtype}")
    inputs, single = random_inputs(attention, B, dtype=torch.float32), copy.deepcopy(attention).float()
    exact, _ = single(*inputs, mask)
    with torch.autocast("cpu", torch.bfloat16):
        context, _, gradients = outcome(single, inputs, mask)
    require(all(gradient.dtype == torch.float32 for gradient in gradients), "autocast changes the gradients' dtype")
    if not is_selective:
        require_near(context, exact, TOLERANCE[torch.bfloat16], "autocast")


@promise("any number of leading dimensions gives the same")
def check_leading_dimensions(attention: BaseAttention) -> None:
    num_queries, num_keys = sizes(attention)
    for leading in ((), (2,), (2, 1, 2)):
        inputs = random_inputs(attention, *leading)
        mask = torch.rand(*leading, num_queries, num_keys, generator=seeded()) < 0.7
        mask = mask if takes(attention, inputs, mask) else mask[..., :1, :]
        for need_weights in (False, True):
            context, weights = attention(*inputs, mask, need_weights)
            require(context.shape == (*leading, num_queries, attention.output_dim), f"{leading} is not kept")
            for place in itertools.product(*(range(size) for size in leading)):
                alone, of_alone = attention(*(tensor[place] for tensor in inputs), mask[place], need_weights)
                torch.testing.assert_close(context[place], alone)
                require(weights is None or torch.allclose(weights[place], of_alone), f"weights differ with {leading}")


@promise("queries in pieces over a prepared memory give the same as all at once")
def check_pieces(attention: BaseAttention) -> None:
    num_keys = sizes(attention)[1]
    query, keys, values = random_inputs(attention, B)
    mask = padding_mask([num_keys, num_keys - 2, 0], num_keys)
    whole, weights = attention(query, keys, values, mask, need_weights=True)
    memory = attention.prepare(keys, values, mask)
    if attention.same_sequence_only:  # fewer queries than keys are the last ones
        context, rows = attention.attend(query[:, -2:], memory, need_weights=True)
        torch.testing.assert_close(context, whole[:, -2:])
        torch.testing.assert_close(rows, weights[..., -2:, :])
        torch.testing.assert_close(attention.attend(query[:, -2:], memory)[0], whole[:, -2:])
        return
    history = attention.start(memory)
    for index, step in enumerate(query.split(1, dim=-2)):
        context, row, history = attention.advance(step, memory, history, need_weights=True)
        torch.testing.assert_close(context, whole[:, index : index + 1])
        torch.testing.assert_close(row, weights[..., index : index + 1, :])


def _paths(attention: BaseAttention) -> list[str]:
    if not isinstance(attention, Attention):
        return ["auto"]
    names: tuple[paths.PathName, ...] = ("auto", "sdpa", "chunked")
    return [name for name in names if paths.why_not(attention, name) is None]
