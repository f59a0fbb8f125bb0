"""What the checks share: an attention to try, inputs, and what comes of them.

Shapes: B items, H heads, Q queries, K keys, D sizes. Masks are bool, True = may attend.
"""

import functools
import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from attnfocus.attention.base import BaseAttention
from attnfocus.attention.contract.crash import crash_of
from attnfocus.errors import ConfigError
from attnfocus.signatures import parameters_of

Factory = Callable[..., BaseAttention]  # called with query_dim and key_dim, as a model calls it
Check = Callable[[Factory], None]

B, D = 3, 8


def promise(text: str) -> Callable[[Callable[[BaseAttention], None]], Check]:
    """Turns a check of an attention into one of a factory, whose failure begins with the promise."""

    def decorate(check: Callable[[BaseAttention], None]) -> Check:
        @functools.wraps(check)
        def checked(factory: Factory) -> None:
            attention = random_attention(factory)
            try:
                with torch.random.fork_rng(devices=[]):
                    check(attention)
            except Exception as error:
                crash = crash_of(error, text)
                if crash is not None:
                    raise crash from error
                raise AssertionError(f"promise broken: {text}. {type(error).__name__}: {error}") from error

        return checked

    return decorate


def random_attention(factory: Factory) -> BaseAttention:
    """An attention in float64 and evaluation mode whose parameters are off their start, where a 0 hides mistakes."""
    with torch.random.fork_rng(devices=[]):
        seed_start()
        attention = made_by(factory).double().eval()
    generator = seeded()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(torch.empty_like(parameter).normal_(std=0.5, generator=generator))
    return attention


def made_by(factory: Factory) -> BaseAttention:
    """The attention of a factory.

    Raises:
        ConfigError: the factory needs other arguments than it gets, or makes no attention.
    """
    name = getattr(getattr(factory, "func", factory), "__name__", type(factory).__name__)
    example = "check_promises(functools.partial(Attention, score=MyScore))"
    if not callable(factory) or isinstance(factory, nn.Module):
        raise ConfigError(
            f"factory: must be a class or function that makes an attention, got a {name}. Give {example}."
        )
    parameters = parameters_of(getattr(factory, "func", factory))
    signature = inspect.Signature(sorted(parameters.values(), key=lambda each: each.kind))
    named = {**getattr(factory, "keywords", {}), "query_dim": D, "key_dim": D}
    try:
        signature.bind(*getattr(factory, "args", ()), **named)
    except TypeError as error:
        allowed = ", ".join(each for each in parameters if each not in ("query_dim", "key_dim"))
        raise ConfigError(
            f"factory: {name} is called with query_dim and key_dim, and what functools.partial adds: {error}.\n"
            f"It takes {allowed}; as in {example}."
        ) from None
    attention = factory(query_dim=D, key_dim=D)
    if not isinstance(attention, BaseAttention):
        raise ConfigError(f"factory: {name} makes no attention, but {type(attention).__name__}. Give {example}.")
    return attention


def sizes(attention: BaseAttention, at_least: int = 0) -> tuple[int, int]:
    """Numbers of queries and keys: more keys than heads, and as many queries where both are one sequence."""
    num_keys = max(6, attention.num_heads + 2, at_least)
    return num_keys if attention.same_sequence_only else 4, num_keys


def random_inputs(
    attention: BaseAttention,
    *leading: int,
    queries: int | None = None,
    keys: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> list[Tensor]:
    """Query, keys and values, the same in every call but for rounding."""
    default = sizes(attention)
    counts = (default[0] if queries is None else queries, *(2 * (default[1] if keys is None else keys,)))
    generator = seeded()
    return [torch.randn(*leading, n, D, generator=generator, dtype=torch.float64).to(dtype) for n in counts]


def padding_mask(lengths: Sequence[int], num_keys: int) -> Tensor:
    """(B, 1, K)."""
    return (torch.arange(num_keys) < torch.tensor(lengths).unsqueeze(-1)).unsqueeze(-2)


def takes(attention: BaseAttention, inputs: Sequence[Tensor], mask: Tensor) -> bool:
    """Whether the attention takes this mask, which has an axis of queries; a refusal must be a ValueError."""
    try:
        attention(*inputs, mask)
    except ValueError:
        return False
    return True


def outcome(
    attention: BaseAttention,
    inputs: Sequence[Tensor],
    mask: Tensor | None,
    need_weights: bool = False,
    rows: Sequence[int] | None = None,
) -> tuple[Tensor, Tensor | None, list[Tensor]]:
    """Context, weights, and gradients (of inputs, then parameters) of a loss that tells all numbers apart.

    inputs: query, keys and values; or one sequence, which looks at itself.
    rows: of each item, how many queries count.
    """
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    seed_start()
    query, keys, values = leaves if len(leaves) == 3 else (*leaves, *leaves, None)
    context, weights = attention(query, keys, values, mask, need_weights)
    items = [context[item, :count] for item, count in enumerate(rows)] if rows else list(context)
    loss = sum(((item * torch.arange(item.numel()).cos().view_as(item)).sum() for item in items), context.sum() * 0)
    parameters = list(attention.parameters())
    gradients = torch.autograd.grad(loss, [*leaves, *parameters], allow_unused=True, materialize_grads=True)
    return context.detach(), weights, list(gradients)


def require_near(found: Tensor, exact: Tensor, tolerance: float, what: str) -> None:
    error, size = (found.double() - exact.double()).norm(), exact.double().norm()
    require(error <= tolerance * size, f"in {what} the result is off by {error / size:.1%} of its norm")


def require(condition: Tensor | bool, message: str) -> None:
    """An `assert` that also runs under `python -O`."""
    if not condition:
        raise AssertionError(message)


def seed_start() -> None:
    """Seeds the generator of the CPU, which the checks run on.

    Not `torch.manual_seed`, which formats a stack trace at each call while CUDA is unused, and seeds it where it is.
    """
    torch.default_generator.manual_seed(0)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)
