"""The methods of attribution, and what can be chosen of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from attnfocus.errors import ConfigError, Problem
from attnfocus.limits import PositiveInt
from attnfocus.tasks.probe import Baseline

Method = Literal[
    "attention",
    "attention_rollout",
    "attention_flow",
    "attention_gradient",
    "attention_norm",
    "attention_block_norm",
    "value_zeroing",
    "gradient_input",
    "integrated_gradients",
    "attn_lrp",
    "leave_one_out",
]
METHODS: tuple[Method, ...] = get_args(Method)
DEFAULT_METHOD = "integrated_gradients"
OF_SCORE = ("attention_gradient", "gradient_input", "integrated_gradients", "attn_lrp", "leave_one_out")
Level = Literal["token", "word"]


@dataclass(frozen=True, kw_only=True)
class AttributionOptions:
    """What can be chosen of the methods.

    Args:
        target: what is explained: an output text, or a label; None: the model's own answer.
        layer: attention methods: the attention's name; None: the one that is nearest to the output and aligns best.
        head: attention methods: which head; None: the mean of all.
        baseline: the input that says nothing, with which gradients and leave_one_out compare: zero vectors, the vector
            of unknown tokens, or the mean of all tokens' vectors.
        num_steps: integrated_gradients: points of the integral (> 0).
        leave_out: leave_one_out: put the baseline in the position's place (mask), or cut it out (remove), which moves
            what follows.
        against: methods of a score: why the answer and not this one, see `contrast.foils_of`; None: not any other.
        span: leave_one_out: how many words in a row are left out together (positions, where tokens are no pieces of
            words); see `focus.attributions.leave_spans_out`. None: each position alone.
        level: token, or word: pieces of words are joined, see `words.by_word`.
    """

    target: str | None = None
    layer: str | None = None
    head: int | None = None
    baseline: Baseline = "zero"
    num_steps: PositiveInt = 32
    leave_out: Literal["mask", "remove"] = "mask"
    against: str | None = None
    span: PositiveInt | None = None
    level: Level = "token"

    def __post_init__(self) -> None:
        choices = {"baseline": get_args(Baseline), "leave_out": ("mask", "remove"), "level": get_args(Level)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name}: must be {', '.join(allowed)}, got {getattr(self, name)}.")
        for name in ("num_steps", "span"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}: must be > 0, got {value}.")

    def check(self, method: str) -> None:
        """Refuses what means nothing for a method.

        Raises:
            ConfigError: the method, or an option, and what works.
        """
        if method not in METHODS:
            raise ConfigError(f"method: must be one of {', '.join(METHODS)}, got {method}.")
        if self.against is not None and method not in OF_SCORE:
            text = f"against: {method} shows where the model looks, and explains no answer. Use {DEFAULT_METHOD}."
            raise ConfigError(Problem(text, "method", [f"method={DEFAULT_METHOD}"]))
        if self.span is not None and method != "leave_one_out":
            text = f"span: {method} leaves nothing out. Use leave_one_out."
            raise ConfigError(Problem(text, "method", ["method=leave_one_out"]))
