"""All steps of an additive score that follows where a decoder looked, with softmax: what does not change is made once.

Shapes: N leading dims and heads in one, Q queries (steps), K keys, h hidden size, f features of a key, r width of a
filter. Masks are bool, True = may attend.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks, own_gradients
from attnfocus.attention.normalizers.softmax import masked_softmax
from attnfocus.attention.precision import no_autocast
from attnfocus.attention.scores.additive import CPU_BLOCK, OTHER_BLOCK

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor, Tensor | None]


class SoftmaxSteps(torch.autograd.Function):
    """weights_i = softmax_j(v . tanh(q_i + k_j + M f_ij)), (N, Q, K); the features f of the weights of earlier steps.

    Inputs: query (N, Q, h), keys (N, K, h), vector v (N, 1, h), matrix M (N, f, h), filters F (N, f, r) or None, start
    (N, 1, K), mask (N, Q or 1, K) or None. With filters f_ij = sum_n F_n weight_{i-1, j+n}, n from -(r-1)/2 to (r-1)/2,
    and `start` holds the weights of the step before the first; without, f = 1 and f_ij is the sum of the weights of all
    steps before, `start` at the first.

    Each step needs the weights of the one before, so that there is a loop over steps: of one product that makes
    q_i + k_j + M f_ij, a sigmoid (tanh(a) = 2 sigmoid(2 a) - 1), the product with v, and operations on K numbers. The
    gradient, from the last step to the first, makes the sigmoids again; all in buffers that every step uses. Gradients
    of gradients hold all hidden units.
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        query, keys, mask = inputs[0], inputs[1], inputs[6]
        weights = query.new_empty(*query.shape[:2], keys.shape[1])
        with no_autocast(query):
            for items in _items(keys):
                _Steps(_of_items(inputs, items)).run(weights[items], None if mask is None else mask[items])
        ctx.save_for_backward(*inputs, weights)
        return weights

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, weights = ctx.saved_tensors
        if torch.is_grad_enabled():
            differentiable = [tensor for tensor in inputs[:6] if tensor is not None]
            found = iter(own_gradients.by_plain(_plain(inputs), differentiable, gradient))
            return *(None if tensor is None else next(found) for tensor in inputs[:6]), None
        results = [None if tensor is None else torch.empty_like(tensor) for tensor in inputs[:6]]
        with no_autocast(weights):
            for items in _items(inputs[1]):
                part = _Steps(_of_items(inputs, items)).gradients(weights[items], gradient[items])
                for result, of_items in zip(results, part, strict=True):
                    if result is not None and of_items is not None:
                        result[items] = of_items
        return *results, None


class _Steps:
    """The steps of some items. What enters a sigmoid is doubled beforehand."""

    def __init__(self, inputs: Inputs) -> None:
        query, keys, self.vector, self.matrix, self.filters, self.start, _ = inputs
        self.query, self.keys = 2 * query.unsqueeze(2), 2 * keys  # (n, Q, 1, h), (n, K, h)
        count, num_keys, _ = keys.shape
        self.rows = torch.cat((2 * self.matrix, self.query[:, 0]), dim=1)  # (n, f + 1, h): M, and the query of the step
        self.features = keys.new_ones(count, self.matrix.shape[1] + 1, num_keys)  # of the step, and 1 for the query
        self.hidden = torch.empty_like(self.keys)
        if self.filters is not None:
            width = self.filters.shape[2]
            self.reach = width // 2
            self.padded = keys.new_zeros(count, num_keys + 2 * self.reach)
            self.windows = keys.new_empty(count, width, num_keys)  # what stands at each place of a filter
            self.spread = keys.new_zeros(count, width, num_keys + 2 * self.reach)

    def sigmoids(self, index: int, past: Tensor) -> Tensor:
        """sigmoid(2 (q + k + M f)), (n, K, h), of a step; past (n, 1, K) as in `pasts`."""
        if self.filters is None:
            self.features[:, :-1] = past
        else:
            num_keys = past.shape[2]
            self.padded[:, self.reach : self.reach + num_keys] = past.squeeze(1)
            self.windows.copy_(self.padded.unfold(1, num_keys, 1))
            self.features[:, :-1] = torch.bmm(self.filters, self.windows)
        self.rows[:, -1:] = self.query[:, index]
        return torch.baddbmm(self.keys, self.features.mT, self.rows, out=self.hidden).sigmoid_()

    def run(self, weights: Tensor, mask: Tensor | None) -> None:
        """Fills weights (n, Q, K)."""
        doubled, past = 2 * self.vector, self.start
        for index in range(weights.shape[1]):
            scores = torch.bmm(doubled, self.sigmoids(index, past).mT)  # (n, 1, K), and the same more for all keys
            now = masked_softmax(scores, masks.of_query(mask, index))
            weights[:, index : index + 1] = now
            past = past + now if self.filters is None else now

    def gradients(self, weights: Tensor, gradient: Tensor) -> list[Tensor | None]:
        """Of query, keys, vector, matrix, filters and start."""
        pasts = self.pasts(weights)
        of_query, of_keys = torch.empty_like(self.query[:, :, 0]), torch.zeros_like(self.keys)
        of_vector, of_rows = torch.zeros_like(self.vector), torch.zeros_like(self.rows)
        of_filters = None if self.filters is None else torch.zeros_like(self.filters)
        later, slopes = torch.zeros_like(self.start), 4 * self.vector * self.matrix  # (n, 1, K), (n, f, h)
        for index in reversed(range(weights.shape[1])):
            now, past = weights[:, index : index + 1], pasts[:, index : index + 1]
            hidden = self.sigmoids(index, past)
            incoming = now * (gradient[:, index : index + 1] + later)
            of_scores = incoming - now * incoming.sum(dim=-1, keepdim=True)  # (n, 1, K)
            of_vector += torch.bmm(of_scores, hidden)
            hidden.addcmul_(hidden, hidden, value=-1)  # the slope of a sigmoid
            of_keys.addcmul_(hidden, of_scores.mT)
            rows = torch.bmm(self.features * of_scores, hidden)  # (n, f + 1, h)
            of_query[:, index] = rows[:, -1]
            of_rows += rows
            of_features = torch.bmm(slopes, hidden.mT).mul_(of_scores)  # (n, f, K)
            if of_filters is None:
                later = later + of_features
            else:
                of_filters += torch.bmm(of_features, self.windows.mT)
                later = self.gathered(of_features)
        factor = 4 * self.vector
        of_matrix = of_rows[:, :-1].mul(factor)
        return [of_query.mul_(factor), of_keys.mul_(factor), of_vector.mul_(2), of_matrix, of_filters, later]

    def pasts(self, weights: Tensor) -> Tensor:
        """What each step knew of those before it, the weights of the last or the sum of all: (n, Q, K)."""
        before = torch.cat((self.start, weights[:, :-1]), dim=1)
        return before.cumsum(dim=1) if self.filters is None else before

    def gathered(self, of_features: Tensor) -> Tensor:
        """The gradient of the weights (n, 1, K), out of those of their features: each weight lies in r windows."""
        assert self.filters is not None
        width, num_keys = self.spread.shape[2], of_features.shape[2]
        self.spread[:, :, :num_keys] = torch.bmm(self.filters.mT, of_features)
        shape, strides = (*self.spread.shape[:2], num_keys), (self.spread.stride(0), width - 1, 1)
        return self.spread.as_strided(shape, strides, self.reach).sum(dim=1, keepdim=True)


def _of_items(inputs: Any, items: slice) -> Any:
    return tuple(None if tensor is None else tensor[items] for tensor in inputs)


def _items(keys: Tensor) -> Iterator[slice]:
    """Slices of N whose hidden units are about a block."""
    count, num_keys, size = keys.shape
    block = CPU_BLOCK if keys.device.type == "cpu" else OTHER_BLOCK
    items = max(1, block // max(1, num_keys * size))
    return (slice(first, first + items) for first in range(0, count, items))


def _plain(inputs: Any) -> Any:
    """What `SoftmaxSteps` computes, of its differentiable inputs."""
    has_filters, mask = inputs[4] is not None, inputs[6]

    def steps(query: Tensor, keys: Tensor, vector: Tensor, matrix: Tensor, *rest: Tensor) -> Tensor:
        past, rows = rest[-1], []
        for index in range(query.shape[1]):
            features = past
            if has_filters:
                reach = rest[0].shape[2] // 2
                features = torch.bmm(rest[0], F.pad(past, (reach, reach)).squeeze(1).unfold(1, past.shape[2], 1))
            hidden = torch.tanh(query[:, index : index + 1] + keys + torch.bmm(features.mT, matrix))
            weights = masked_softmax(torch.bmm(vector, hidden.mT), masks.of_query(mask, index))
            rows.append(weights)
            past = weights if has_filters else past + weights
        return torch.cat(rows, dim=1)

    return steps
