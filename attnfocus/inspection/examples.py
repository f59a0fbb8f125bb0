"""The examples that an inspection shows: answered, with the maps that were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from attnfocus.config.nearest import did_you_mean, nearest
from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Encoded
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError, DataError, Problem
from attnfocus.explanation import METHODS, AttributionOptions, attribute
from attnfocus.explanation.attribution import probe_of
from attnfocus.explanation.interventions import Kind
from attnfocus.explanation.norms import NORM, normed
from attnfocus.explanation.options import DEFAULT_METHOD
from attnfocus.explanation.words import require_pieces
from attnfocus.inspection.difference import Other, with_minus
from attnfocus.inspection.known import with_known
from attnfocus.inspection.words import with_words
from attnfocus.models.base import Model
from attnfocus.tasks import FocusMap, Inspected, Prediction, Task

# Positions that a default attribution may pass back, over all its points and outputs; some ten seconds.
MAX_POSITIONS = 2**18
PATCHES: dict[str, Kind] = {  # methods that compare two inputs, and which parts of the model each needs
    "patch_heads": "heads",
    "patch_positions": "heads",
    "patch_states": "states",
    "patch_weights": "weights",
}
DEFAULT_PATCHES = ("patch_heads", "patch_positions", "patch_states")
MAX_TOKENS = 4096  # of an input: a map of self-attention has the square of it in weights, for each head


@dataclass(frozen=True)
class Choice:
    """What is shown of every example.

    Attributes:
        layer: part of an attention's name, see `is_part`; None: all.
        head: number of a head; None: all.
        methods: `attention`, names of attributions, and of `PATCHES`, whose maps `patched_maps` makes; None:
            `default_methods`.
        options: of the attributions.
    """

    layer: str | int | None = None
    head: int | None = None
    methods: tuple[str, ...] | None = None
    options: AttributionOptions = field(default_factory=AttributionOptions)

    def __post_init__(self) -> None:
        for method in self.methods or ():
            if method not in PATCHES:
                self.options.check(method)
            elif self.options != AttributionOptions():
                raise ConfigError(f"against, span, level: are for attributions, and {method} is none. Leave them out.")

    def default_methods(self, num_positions: int, num_outputs: int) -> tuple[str, ...]:
        """Attention and integrated gradients; gradient_input in their place, where these would pass back more than
        `MAX_POSITIONS`. With an option that some methods alone have, the first of these."""
        if self.options.span is not None:
            return ("leave_one_out",)
        is_long = num_positions * num_outputs * self.options.num_steps > MAX_POSITIONS
        method = "gradient_input" if is_long else DEFAULT_METHOD
        return (method,) if self.options.against is not None else ("attention", method)


def check_methods(given: str | Sequence[str] | None, *, are_two: bool = False) -> tuple[str, ...] | None:
    """The methods, each once; None: the default. `are_two`: a corrupted input was given, too.

    Raises:
        ConfigError: there is no such method.
    """
    methods = (*METHODS, *PATCHES)
    if given is None:
        return DEFAULT_PATCHES if are_two else None
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if name not in methods:
            near = nearest(name, methods, count=1)
            listed = f"There are: {', '.join(methods)}; several as [a,b]."
            text = f"method: there is no method {name}.{did_you_mean(name, methods)} {listed}"
            raise ConfigError(
                Problem(text, "method", [f"method={near[0]}"] if near and isinstance(given, str) else None)
            )
    if not names:
        raise ConfigError(f"method: name at least one of {', '.join(methods)}.")
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Trained:
    """What answers: a task with its model, and how it decodes."""

    task: Task
    model: Model
    decoding: DecodingOptions


def inspect_examples(
    trained: Trained, examples: Sequence[Encoded | Prediction], choice: Choice, minus: Other | None = None
) -> tuple[Inspected, ...]:
    """Answers the examples one by one, so that no other one's length costs memory.

    Args:
        examples: a `Prediction` in place of one that cannot be read, which says why.
        minus: another run or step, whose maps are put beside those of this one.

    Raises:
        ConfigError: no attention or head is meant by `choice`, or the maps of `minus` do not fit.
        DataError: none of the examples can be answered, or there is none.
    """
    if not examples:
        raise DataError("there is no input to show.")
    if choice.options.level == "word":
        require_pieces(trained.task)
    found = tuple(_inspected(trained, example, choice, minus) for example in examples)
    if all(each.prediction.skipped is not None for each in found):
        raise DataError(f"input {found[0].prediction.id}: {found[0].prediction.skipped}. There is nothing to show.")
    return found


def _inspected(
    trained: Trained, example: Encoded | Prediction, choice: Choice, minus: Other | None = None
) -> Inspected:
    if isinstance(example, Prediction):
        return Inspected(example)
    size = len(example.inputs)
    if size > MAX_TOKENS:
        row, reason = example.row, f"input of {size} tokens; at most {MAX_TOKENS} can be shown"
        text = row.input if isinstance(row.input, str) else ""
        return Inspected(Prediction(example.id, "", float("nan"), text, row.target, skipped=reason))
    batch = collate([example])
    answer = next(iter(trained.task.inspect(trained.model, [batch], decoding=trained.decoding)))
    if answer.prediction.skipped is not None or not (answer.maps or answer.prediction.text):
        return answer  # an output without a token has no maps
    written = 1 if answer.is_one_answer else len(answer.prediction.text)  # at most so many tokens
    methods = choice.default_methods(size, written) if choice.methods is None else choice.methods
    if answer.maps and "attention" not in methods:
        chosen_maps(answer.maps, choice)  # a layer that there is not is told, though nothing of it is shown
    maps = [
        each
        for method in methods
        if method not in PATCHES
        for each in _maps_of(trained, example, answer, method, choice)
    ]
    codec, answer = trained.task.codec, replace(answer, maps=tuple(maps))
    answer = with_known(codec, example, answer if minus is None else with_minus(minus, codec, example, answer))
    return with_words(answer, tuple(codec.input_tokens(example.inputs))) if choice.options.level == "word" else answer


def _maps_of(
    trained: Trained, example: Encoded, answer: Inspected, method: str, choice: Choice
) -> tuple[FocusMap, ...]:
    if method in ("attention", NORM):
        if not answer.maps:
            raise DataError("method: the attention of this run gives no weights. Use method=gradient_input.")
        maps = chosen_maps(answer.maps, choice)
        if method == "attention":
            return maps
        probe = probe_of(trained.task, trained.model, [example], decoding=trained.decoding)
        return normed(probe, maps)
    options = replace(choice.options, level="token")  # maps are joined together
    found = attribute(trained.task, trained.model, [example], method, options, trained.decoding)[0]
    return (FocusMap(method, "", found.scores[np.newaxis], found.query_tokens, found.key_tokens, (0,)),)


def chosen_maps(maps: Sequence[FocusMap], choice: Choice) -> tuple[FocusMap, ...]:
    """The maps of the attentions and heads that are meant.

    Raises:
        ConfigError: there is none.
    """
    named = [each for each in maps if choice.layer is None or is_part(str(choice.layer), each.name)]
    if not named:
        names = [each.name for each in maps]
        parts = dict.fromkeys(part for name in names for part in name.split("."))
        hint = did_you_mean(str(choice.layer), [*names, *parts])
        raise ConfigError(
            f"layer: {choice.layer} is no attention of this run.{hint} There are: {', '.join(names)}; "
            "a part of a name means all that have it."
        )
    if choice.head is None:
        return tuple(named)
    found = tuple(_one_head(each, choice.head) for each in named if 0 <= choice.head < len(each.heads))
    if not found:
        most = max(len(each.heads) for each in named)
        raise ConfigError(f"head: must be {'0' if most == 1 else f'0 to {most - 1}'} in this run, got {choice.head}.")
    return found


def is_part(asked: str, name: str) -> bool:
    """Whether the dotted name has the asked parts, one after another: `1`, `layers.1` of `decoder.layers.1.cross`."""
    wanted, parts = asked.split("."), name.split(".")
    return any(parts[start : start + len(wanted)] == wanted for start in range(len(parts)))


def _one_head(each: FocusMap, head: int) -> FocusMap:
    return replace(each, weights=each.weights[head : head + 1], heads=(each.heads[head],))  # before any `minus`
