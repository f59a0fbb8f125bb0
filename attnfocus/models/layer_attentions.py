"""Which attention each layer of a model has: one for all of them, or a stack (`model.layer_attentions`)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Annotated, Any, Protocol

from attnfocus.attention import BaseAttention
from attnfocus.errors import Problem
from attnfocus.limits import Choice


class AttentionFactory(Protocol):
    """Builds an attention once the sizes are known: an attention class, or a `functools.partial` of one."""

    def __call__(self, **sizes: Any) -> BaseAttention: ...


# The attentions of the layers, from the first on, repeated until each layer has one; None: one for all of them. An
# option of a model whose name ends in `layer_attentions` is given as names of presets: `[local*5,rotary]`.
LayerAttentions = list[Annotated[AttentionFactory, Choice("attention")]] | None


def by_layer(
    attention: AttentionFactory,
    num_layers: int,
    stack: Sequence[AttentionFactory] | None = None,
    adapt: Callable[[AttentionFactory], AttentionFactory] | None = None,
    key: str = "layer_attentions",
) -> list[AttentionFactory]:
    """What makes the attention of each layer; what it makes knows its layer (`BaseAttention.depth`), and its place in
    a stack (`BaseAttention.in_stack`).

    Args:
        attention: that of all layers, without a stack.
        stack: those of the layers, repeated to fill them.
        adapt: fits an attention to its place, such as one that must not look ahead.
        key: the option that holds the stack, for messages.

    Raises:
        ValueError: no attention in a stack, or more than there are layers; or as `adapt`, with the place in the stack.
    """
    if stack is None:
        adapted = attention if adapt is None else adapt(attention)
        return [_in_layer(adapted, depth) for depth in range(num_layers)]
    if not 0 < len(stack) <= num_layers:
        raise ValueError(
            f"{key} names {len(stack)} attentions for {num_layers} layers: name 1 to {num_layers}, which are repeated "
            f"to fill the layers, or make it {max(1, len(stack))} layers."
        )
    found = []
    for number, factory in enumerate(stack):
        with _of_stack(f"{key}[{number}]"):
            found.append(factory if adapt is None else adapt(factory))
    numbered = list(enumerate(found))
    return [
        _in_layer(factory, depth, (key, number))
        for depth, (number, factory) in enumerate(islice(cycle(numbered), num_layers))
    ]


def _in_layer(factory: AttentionFactory, depth: int, in_stack: tuple[str, int] | None = None) -> AttentionFactory:
    def make(**sizes: Any) -> BaseAttention:
        with _of_stack(None if in_stack is None else f"{in_stack[0]}[{in_stack[1]}]"):
            attention = factory(**sizes)
        attention.depth, attention.in_stack = depth, in_stack
        return attention

    return make


@contextmanager
def _of_stack(name: str | None) -> Iterator[None]:
    """Refusals within say which attention of a stack it is."""
    try:
        yield
    except ValueError as error:
        if name is None or not error.args:
            raise
        text, problem = f"{name}: {error}", error.args[0]
        raise ValueError(problem.reworded(text) if isinstance(problem, Problem) else text) from error
