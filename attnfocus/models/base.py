"""The contract of a model: what the rest of the house asks of one, and what holds where it says nothing.

Shapes: B batch, L positions, S source tokens, T target tokens, N rows (sentences, or hypotheses of a beam),
V target vocabulary, H heads, Q queries, K keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from attnfocus.attention import BaseAttention
from attnfocus.attention.plane import Plane
from attnfocus.attention.role import Axis, Kind, Role, role_problem
from attnfocus.grid import Grid
from attnfocus.models.embeddings import TokenEmbedding
from attnfocus.models.outputs import ClassifierOutput, SequenceOutput
from attnfocus.models.stepwise import select_rows
from attnfocus.signatures import WholeSignature

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Place:
    """One attention of a model: what its weights (B, H, Q, K) are called, and what they mean.

    Attributes:
        name: as in the `weights` of the model's output; users see it and choose by it.
        kind: self: a sequence looks at itself; cross: one looks at another; pooling: learned queries look at one.
        queries, keys: the sequence along each axis: `input` (what the model is given), `output` (what it writes), or
            `learned` (no positions of any example: all are real).
        words: what a person calls the attention there, where the layers have different ones; else empty.
        plane: how the positions of the input lie, where they have rows and columns.

    Raises:
        ValueError: a kind that contradicts the sequences.
    """

    name: str
    kind: Kind
    queries: Axis
    keys: Axis
    words: str = ""
    plane: Plane | None = None

    @property
    def label(self) -> str:
        """The name for people, as in a table: `layers.3 (local)` in a stack of different attentions."""
        return f"{self.name} ({self.words})" if self.words else self.name

    def __post_init__(self) -> None:
        problem = role_problem(Role(self.kind, self.queries, self.keys))
        if problem is not None:
            raise ValueError(f"the place {self.name}: {problem}.")


class Model(nn.Module):
    """What every model is. One of a new task derives from this class and has an output type of its own.

    The constructor takes `attention`, which makes an attention when it is called with its sizes
    (`attention(query_dim=D, key_dim=D, value_dim=D)`), the sizes of the data, and options with defaults; all by
    keyword. The annotations of the options (`PositiveInt`, `Probability`, a `Literal`) are what the configuration is
    checked by. It raises ValueError for options that do not go together, and allocates nothing but parameters: it is
    also called on torch's meta device.

    `forward` takes `need_weights`; its output has `weights`: the name of each attention -> (B, H, Q, K), empty unless
    they are asked for. A weight of padding is 0, and no padding changes a result.

    Attributes:
        tasks: the tasks that it can serve, by name.
        num_prepended: positions, such as that of `cls`, that stand before the input's own in weights and layers.
        max_input_length, max_output_length: the most positions that it can read and write; None: any number.
        notes: what the model changed in what it was given, as lines for the user.
        grid: how the positions of its input lie, where it was built for cells of a grid and so reads whole ones alone.
    """

    __signature__ = WholeSignature()  # of the classes below, which hand on what they do not name

    tasks: ClassVar[tuple[str, ...]] = ()
    num_prepended: int = 0
    max_input_length: int | None = None
    max_output_length: int | None = None
    notes: tuple[str, ...] = ()
    grid: Grid | None = None

    def attentions(self) -> dict[str, BaseAttention]:
        """The attentions inside, by the names of their weights: here their paths in the model, where a part that is
        called `attention` is named by its owner: `pooling`, `layers.0`, `decoder.layers.0.cross`, `blocks.0.mixer`.
        """
        modules = ((path, module) for path, module in self.named_modules() if isinstance(module, BaseAttention))
        return {_name_of(path): module for path, module in modules}

    def put_on(self, grid: Grid | None) -> None:
        """How the positions of the input lie, for the model's attentions to it: to be called once all are made."""
        self.grid = grid
        if grid is not None and grid.is_plane:
            for attention in self.attentions().values():
                if attention.role is not None and attention.role.keys == "input" and attention.role.queries != "output":
                    attention.put_on(Plane(grid.columns, self.num_prepended))

    def places(self) -> Sequence[Place]:
        """The meaning of every name in `weights`: here what the attentions' roles say. A model may give its own.

        Raises:
            ValueError: an attention has no role.
        """
        places = []
        for name, attention in self.attentions().items():
            if attention.role is None:
                raise ValueError(
                    f"{type(self).__name__} does not say what its attention {name} is for. Where it is made, set its "
                    f'role, as in attention.role = Role("self", "input", "input") of attnfocus.attention; or give '
                    "the model a method places()."
                )
            places.append(Place(name, *attention.role, words=attention.words, plane=attention.plane))
        return places

    def labels(self) -> dict[str, str]:
        """What people read for the names in `weights`, where it is not the name itself."""
        return {place.name: place.label for place in self.places() if place.words}

    def places_of(self, names: Iterable[str]) -> dict[str, Place]:
        """The places of these names, in their order.

        Raises:
            ValueError: no place explains a name.
        """
        names = list(names)
        places = {place.name: place for place in self.places()} if names else {}
        for name in names:
            if name not in places:
                raise ValueError(
                    f"{type(self).__name__} gives weights called {name}, and none of its places is called so: "
                    f"{', '.join(places) or 'it has none'}. Let the names of its weights and of places() agree."
                )
        return {name: places[name] for name in names}

    def token_tables(self) -> Mapping[str, TokenEmbedding]:
        """The tables that pretrained vectors can fill, by the side that they embed: `source` (the input), `target`."""
        return {}


class Classifier(Model):
    """A class for each input, or a number. Sizes given: `num_classes` (1 for a number), and one of `vocab_size` (token
    ids) and `input_dim`."""

    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")

    def forward(self, inputs: Tensor, lengths: Tensor, need_weights: bool = False) -> ClassifierOutput:
        """inputs: ids (B, L) or vectors (B, L, D); lengths (B,), 0 too."""
        raise NotImplementedError


class Translator(Model):
    """Text to text. Sizes given: `source_vocab_size`, `target_vocab_size`.

    `forward` trains it; `encode`, `start` and `step` write, one token of each row at a time. Memory and state are trees
    of tensors with the rows as first axis.
    """

    tasks: ClassVar[tuple[str, ...]] = ("translation",)

    def forward(
        self, source: Tensor, source_lengths: Tensor, target_in: Tensor, need_weights: bool = False
    ) -> SequenceOutput:
        """Teacher-forced: source (B, S) of `source_lengths` (B,), target_in (B, T) from BOS on."""
        raise NotImplementedError

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """What depends on the source (B, S) alone."""
        raise NotImplementedError

    def start(self, memory: Any) -> Any:
        """The decoder's state before BOS."""
        raise NotImplementedError

    def step(
        self, tokens: Tensor, state: Any, memory: Any, need_weights: bool = False
    ) -> tuple[Tensor, Any, Tensor | None]:
        """Read one token of each row (N,): logits of the next one (N, V), the new state, and the weights (N, H, S) that
        align best, or None."""
        raise NotImplementedError

    def select(self, tree: Tree, index: Tensor) -> Tree:
        """The rows `index` (M,) of a memory or a state; a row may be taken more than once."""
        return select_rows(tree, index)


class LanguageModel(Model):
    """Each token given those before it. Size given: `vocab_size`.

    `forward` trains it; `start` and `read` go on from any state, some tokens at a time. A state is a tree of tensors
    with the rows as first axis. No position looks ahead, so that padding behind a text changes nothing.

    Attributes:
        takes_documents: whether `forward` takes `documents`: several texts in a row, none of which sees another
            (`models.documents`). Without it `trainer.packing` is refused.
    """

    tasks: ClassVar[tuple[str, ...]] = ("language_modeling", "ranking")
    takes_documents: ClassVar[bool] = False

    def forward(
        self, inputs: Tensor, lengths: Tensor, need_weights: bool = False, *, num_context: int = 0
    ) -> SequenceOutput:
        """inputs: ids (B, L) from BOS on, of `lengths` (B,): what the next token of each position is predicted from.

        Args:
            num_context: C, positions that are read first: no gradient flows into their states. The output is that of
                the L - C others.
        """
        return self.carried_on(inputs, num_context, need_weights)

    def carried_on(self, inputs: Tensor, num_context: int, need_weights: bool = False) -> SequenceOutput:
        """`forward` by `start` and `read`: nothing of the context has a gradient, nor what the state keeps of it."""
        state = self.start(len(inputs))
        if num_context:
            with torch.no_grad():
                state = self.read(inputs[:, :num_context], state)[1]
            torch.clear_autocast_cache()  # else weights that were cast here would have no gradient behind it
        return self.read(inputs[:, num_context:], state, need_weights)[0]

    def start(self, num_rows: int) -> Any:
        """The state of N rows before their first token."""
        raise NotImplementedError

    def read(self, tokens: Tensor, state: Any, need_weights: bool = False) -> tuple[SequenceOutput, Any]:
        """Read tokens (N, T), which follow on what the state has read: their output, and the new state."""
        raise NotImplementedError

    def select(self, tree: Tree, index: Tensor) -> Tree:
        """The rows `index` (M,) of a state; a row may be taken more than once."""
        return select_rows(tree, index)


class Layer(nn.Module):
    """A part of a deep model whose weights lie in several processes until its turn comes (FSDP2).

    Attributes:
        called_apart: its parts that are called without the layer's own `forward`, and the methods of theirs.
    """

    called_apart: ClassVar[Mapping[str, Sequence[str]]] = {}


def _name_of(path: str) -> str:
    owner, _, attribute = path.rpartition(".")
    if attribute == "attention":
        return owner or attribute
    return f"{owner}.{attribute}".removesuffix("_attention").removeprefix(".")
