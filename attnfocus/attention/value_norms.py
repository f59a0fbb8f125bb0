"""How large what a key gives to the output is, before it is weighed.

Shapes: ... leading dims (the batch), H heads, G key heads, K keys, d size of one head, Do of the output.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.memory_changes import changed_memory


def output_is_weighed_values(attention: BaseAttention) -> bool:
    """True where the output is the sum of weights times projected values, head by head, and nothing else."""
    if attention.values_depend_on_offsets or type(attention).finish_heads is not BaseAttention.finish_heads:
        return False
    return attention.weights_can_be_replaced


@contextmanager
def noted_values(attention: BaseAttention) -> Iterator[list[Tensor]]:
    """Within, the values (..., G, K, d) that each `prepare` makes are put into the list.

    For a copy of a model (`tasks.probe.own_copy`): another thread's calls would be noted, too.

    Raises:
        ValueError: not `output_is_weighed_values`.
    """
    if not output_is_weighed_values(attention):
        raise ValueError(f"the output of {type(attention).__name__} is not made of its weights and values alone.")
    noted: list[Tensor] = []

    def note(keys: Tensor, values: Tensor, first_position: int) -> tuple[Tensor, Tensor]:
        noted.append(values)
        return keys, values

    with changed_memory(attention, note):
        yield noted


@contextmanager
def zeroed_values(attention: BaseAttention, zeroed: Tensor) -> Iterator[None]:
    """Within, the projected value of one key is 0 in all heads: in each row of the batch that of `zeroed` (M,).

    For a copy of a model, as `noted_values`.
    """

    def zero(keys: Tensor, values: Tensor, first_position: int) -> tuple[Tensor, Tensor]:
        return keys, without_values(values, zeroed - first_position)

    with changed_memory(attention, zero):
        yield


def without_values(values: Tensor, zeroed: Tensor) -> Tensor:
    """Values (M, G, K, d) with 0 at one key of each row, `zeroed` (M,), which may lie outside of these keys."""
    is_zeroed = torch.arange(values.shape[-2], device=values.device) == zeroed.unsqueeze(-1)  # (M, K)
    return values.masked_fill(is_zeroed[:, None, :, None], 0)


def value_norms(attention: BaseAttention, values: Tensor) -> Tensor:
    """||f_h(x_k)||, f_h(x) = (x W_V^h + b_V^h) W_O^h: values (..., G, K, d) -> (..., H, K).

    The output of a query is the sum over heads and keys of weight_hqk f_h(x_k), so that ||weight_hqk f_h(x_k)|| is how
    much a key gives to it (Kobayashi et al. 2020, sec. 2.2, arXiv:2004.10102). Without projections f is the value
    itself.
    """
    if not attention.has_projections:
        return values.norm(dim=-1)
    per_key_head = attention.num_heads // attention.num_key_heads
    of_heads = attention.output_projection.weight.unflatten(-1, (attention.num_heads, -1))  # (Do, H, d)
    norms = [
        (values[..., head // per_key_head, :, :] @ of_heads[:, head].T).norm(dim=-1)  # (..., K)
        for head in range(attention.num_heads)
    ]
    return torch.stack(norms, dim=-2)
