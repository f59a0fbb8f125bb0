"""Whether wrong answers looked at the evidence: attention on what people marked, against what uniform attention gives.

Shapes: B examples, T tokens written, K input positions.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from attnfocus.commands.report.answers import MAX_WRONG, Row
from attnfocus.commands.report.material import Material
from attnfocus.data.batches import collate
from attnfocus.data.codecs.base import Codec, Encoded
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.codecs.written import WrittenCodec
from attnfocus.focus import shares
from attnfocus.inspection.examples import MAX_TOKENS
from attnfocus.inspection.known import moved
from attnfocus.special import BOS, EOS
from attnfocus.tasks.evaluation import device_of
from attnfocus.tasks.looks import looks_of
from attnfocus.tasks.measures.alignment import aligning_place
from attnfocus.tasks.measures.plausibility import token_weights

AT_ONCE = 16  # rows that are read together
MAX_CELLS = AT_ONCE * 512**2  # of their maps, a head
PART_OF_SECONDS = 0.2  # of those in which examples are asked for: these come on top


@dataclass(frozen=True)
class Evidence:
    """Of one row.

    Attributes:
        share: of the attention that is on what people marked, mean over heads, 0 to 1; of a translation the mean over
            the output tokens whose alignment is known, of what is on the input tokens that each is linked with.
        uniform: what it would be if all positions got the same.
    """

    share: float
    uniform: float

    @property
    def is_read(self) -> bool:
        """Whether the evidence gets more than its share of the text."""
        return self.share > self.uniform


@dataclass(frozen=True)
class Looked:
    """Id of a wrong test row -> its evidence; and how many rows were left out: too long, or to end in time."""

    of_rows: Mapping[str, Evidence] = field(default_factory=dict)
    left_out: int = 0


def evidence_of(material: Material) -> Looked:
    """Of the wrong test rows, the surest first, within the seconds that there are.

    Rows without rationale or alignment, and models that weigh no tokens of the input, have none.
    """
    wrong = {row.id: row for row in material.answers.wrong[:MAX_WRONG]}
    examples = material.prepared.splits.get("test")
    if not wrong or examples is None:
        return Looked()
    known = {row.id: place for place, row in enumerate(examples.rows) if row.rationale or row.regions or row.alignment}
    with_evidence = [row for row in wrong.values() if row.id in known]
    asked = [row for row in with_evidence if len(examples[known[row.id]].inputs) <= MAX_TOKENS]
    ends = None if material.seconds is None else time.monotonic() + PART_OF_SECONDS * material.seconds
    found: dict[str, Evidence] = {}
    num_read = 0
    while num_read < len(asked) and not (num_read and ends is not None and time.monotonic() > ends):
        rows = asked[num_read : num_read + AT_ONCE]
        chosen = [examples[known[row.id]] for row in rows]
        count = _few_enough([len(each.inputs) for each in chosen])
        found |= _of_rows(material, rows[:count], chosen[:count])
        num_read += count
    return Looked(found, len(with_evidence) - num_read)


def _few_enough(lengths: Sequence[int]) -> int:
    """How many of the first rows are read together: they are padded to the longest of them."""
    counts = range(len(lengths), 1, -1)
    return next((count for count in counts if count * max(lengths[:count]) ** 2 <= MAX_CELLS), 1)


def _of_rows(material: Material, rows: Sequence[Row], examples: Sequence[Encoded]) -> dict[str, Evidence]:
    codec = material.trained.task.codec
    if isinstance(codec, WrittenCodec):
        found = _of_outputs(material, codec, rows, examples)
    elif isinstance(codec, SequenceCodec):
        found = _of_answers(material, codec, examples)
    else:
        found = _of_classes(material, codec, examples)
    return {name: each for name, each in found.items() if each is not None}


def _of_classes(material: Material, codec: Codec, examples: Sequence[Encoded]) -> Mapping[str, Evidence | None]:
    task, model = material.trained.task, material.trained.model
    batch = collate(examples).to(device_of(model))
    looks = looks_of(model, task.maps(model, batch), task.axis_lengths(batch.to("cpu")))
    weights = token_weights(looks, model.num_prepended)  # (B, K)
    if weights is None:
        return {}
    of_rows = zip(examples, weights, strict=True)
    return {each.id: _evidence([(row, codec.rationale(each.row))], len(each.inputs)) for each, row in of_rows}


def _of_answers(material: Material, codec: SequenceCodec, examples: Sequence[Encoded]) -> Mapping[str, Evidence | None]:
    """At the positions that predict the tokens of a text's answers."""
    task, model = material.trained.task, material.trained.model
    place = aligning_place(model.places())
    if place is None:
        return {}
    maps = task.maps(model, collate(examples).to(device_of(model)))
    found: dict[str, Evidence | None] = {}
    for example, weights in zip(examples, maps[place.name].mean(dim=1), strict=True):  # (L, L)
        links, size = codec.links(example.row), len(example.inputs)
        pairs = () if links is None else links.possible
        marked = {query: [(query, key) in pairs for key in range(size)] for query, _ in pairs}
        found[example.id] = _evidence([(weights[query], known) for query, known in sorted(marked.items())], size)
    return found


def _of_outputs(
    material: Material, codec: WrittenCodec, rows: Sequence[Row], examples: Sequence[Encoded]
) -> Mapping[str, Evidence | None]:
    """Under the output that was written: of its tokens those that the target has, too, have links."""
    task, model = material.trained.task, material.trained.model
    place = aligning_place(model.places())
    written = [
        (example, codec.target_tokenizer.encode(row.answer)) for row, example in zip(rows, examples, strict=True)
    ]
    written = [(example, output) for example, output in written if output]
    if place is None or not written:
        return {}
    forced = [replace(example, targets=np.array([BOS, *output, EOS])) for example, output in written]
    maps = task.maps(model, collate(forced).to(device_of(model)))
    found: dict[str, Evidence | None] = {}
    for (example, output), weights in zip(written, maps[place.name].mean(dim=1), strict=True):  # (T, K)
        links, size = codec.links(example.row), len(example.inputs)
        targets = codec.target_tokens(codec.target_tokenizer.encode(example.row.target))
        pairs = () if links is None else moved(links, targets, codec.target_tokens(output), size).possible
        marked = {t: [(t, s) in pairs for s in range(size)] for t, _ in pairs}
        found[example.id] = _evidence([(weights[t], known) for t, known in sorted(marked.items())], size)
    return found


def _evidence(rows: Sequence[tuple[Tensor, Sequence[bool] | None]], size: int) -> Evidence | None:
    """Of weights (K or more) with what is marked of the `size` positions; None where nothing is, or all."""
    found = []
    for weights, marked in rows:
        kept = [] if marked is None else list(marked[:size])
        if 0 < sum(kept) < size:
            of_positions = shares(weights[:size].abs()).double().cpu().numpy()
            found.append((float(of_positions[np.array(kept)].sum()), sum(kept) / size))
    if not found:
        return None
    share, uniform = np.mean(found, axis=0)
    return Evidence(float(share), float(uniform))
