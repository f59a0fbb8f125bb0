"""What an attention is for in a model: which sequences its queries and its keys belong to."""

from typing import Literal, NamedTuple, get_args

# self: a sequence looks at itself; cross: one looks at another; pooling: learned queries look at a sequence.
Kind = Literal["self", "cross", "pooling"]
# input: what the model is given (a source text, the patches of an image); output: what it writes (a translation, what a
# language model goes on with); learned: no positions of any example, such as the query of a pooling.
Axis = Literal["input", "output", "learned"]


class Role(NamedTuple):
    """Whoever makes an attention says what for: `self.attention.role = Role("self", "input", "input")`."""

    kind: Kind
    queries: Axis
    keys: Axis


def role_problem(role: Role) -> str | None:
    """Why there is no such role, and what works."""
    kind, queries, keys = role
    for name, axis in (("queries", queries), ("keys", keys)):
        if axis not in get_args(Axis):
            return f"{name}: must be {', '.join(get_args(Axis))}, got {axis}"
    fitting = "self" if queries == keys else "pooling" if queries == "learned" else "cross"
    return None if kind == fitting else f"kind: from {queries} to {keys} is {fitting}, got {kind}"
