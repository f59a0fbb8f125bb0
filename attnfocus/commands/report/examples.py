"""The examples of a report: some test rows that tell most, asked again for where the model looks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from attnfocus.commands.report.answers import in_turn
from attnfocus.commands.report.material import Material
from attnfocus.data.codecs.base import Encoded
from attnfocus.errors import DataError
from attnfocus.inspection.content import best_map
from attnfocus.inspection.examples import Choice, inspect_examples
from attnfocus.inspection.inspection import Inspection
from attnfocus.runs.evaluation import validated
from attnfocus.runs.findings import findings_of
from attnfocus.runs.schema import NAMING_GROUPS
from attnfocus.tasks import FocusMap, Inspected, Prediction

NUM_EXAMPLES = 8
MAX_VALUES = 75_000  # weights of an example; of more, its first maps and heads
FIRST_GROUP = "first"  # of a run that tested no rows: the first of valid


@dataclass(frozen=True)
class Examples:
    """Attributes:
    content: what the page of an inspection shows.
    groups: name -> places in `content.examples`.
    ids: of the rows, in the same order.
    left_out: how many there could be besides, by why they are not there: `time` (not asked for, to end in time),
        `failed` (they cannot be shown), `room` (the page would be too large).
    reason: why the first of the failed cannot be shown; empty otherwise.
    """

    content: Inspection
    groups: dict[str, list[int]]
    ids: list[str]
    left_out: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    def only(self, places: Sequence[int]) -> "Examples":
        """Those at some places; the others have no room."""
        groups = {name: [places.index(each) for each in own if each in places] for name, own in self.groups.items()}
        return replace(
            self,
            content=replace(self.content, examples=tuple(self.content.examples[place] for place in places)),
            groups={name: own for name, own in groups.items() if own},
            ids=[self.ids[place] for place in places],
            left_out={**self.left_out, "room": len(self.content.examples) - len(places)},
        )


def examples_of(material: Material) -> Examples:
    """Asks the model for one example after another, within the seconds that there are."""
    ends = None if material.seconds is None else time.monotonic() + material.seconds
    chosen = _chosen(material)
    found: list[tuple[str, Inspected]] = []
    failures: list[str] = []
    for number, (group, example) in enumerate(chosen):
        if number and ends is not None and time.monotonic() > ends:
            break
        try:
            answered = inspect_examples(material.trained, [example], Choice(methods=("attention",)))[0]
        except DataError as error:
            failures.append(str(error))
        else:
            found.append((group, _reduced(answered)))
    order = [place for group in dict.fromkeys(group for group, _ in found) for place in _places(found, group)]
    ordered = [found[place] for place in order]
    groups = {group: _places(ordered, group) for group, _ in ordered}
    shown = tuple(each for _, each in ordered)
    reason = failures[0] if failures else ""
    empty = Inspected(Prediction("", "", float("nan"), skipped=reason or "there is no row to show"))
    left_out = {"time": len(chosen) - len(found) - len(failures), "failed": len(failures)}
    content = _content(material, shown or (empty,))
    return Examples(content, groups, [each.prediction.id for each in shown], left_out, reason)


def _chosen(material: Material) -> list[tuple[str, Encoded]]:
    splits = material.prepared.splits
    pairs = in_turn(material.answers.groups()) if "test" in splits else []
    if not pairs:
        return [(FIRST_GROUP, each) for each in splits[validated(material.prepared)][:NUM_EXAMPLES]]
    wanted = {row.id for _, row in pairs}
    examples = splits["test"]
    places = {row.id: place for place, row in enumerate(examples.rows) if row.id in wanted}
    return [(group, examples[places[row.id]]) for group, row in pairs if row.id in places]


def _places(found: Sequence[tuple[str, Inspected]], group: str) -> list[int]:
    return [place for place, (name, _) in enumerate(found) if name == group]


def _reduced(example: Inspected) -> Inspected:
    """With as many maps as a page has room for, the one to look at first among them; of that at least one head."""
    if not example.maps:
        return example
    first = best_map(example.maps)
    room = MAX_VALUES - first.weights.size
    kept = []
    for each in example.maps:
        if each is first:
            kept.append(_with_fewer_heads(each))
        elif each.weights.size <= room:
            room -= each.weights.size
            kept.append(each)
    return replace(example, maps=tuple(kept))


def _with_fewer_heads(each: FocusMap) -> FocusMap:
    heads, queries, keys = each.weights.shape
    number = max(1, min(heads, MAX_VALUES // max(1, queries * keys)))
    return replace(each, weights=each.weights[:number], heads=each.heads[:number])


def _content(material: Material, examples: tuple[Inspected, ...]) -> Inspection:
    choices = material.config.setup.config.choices
    facts: dict[str, str | int] = {
        "run": Path(material.run_dir).name,
        **{name: str(choices.get(name, "?")) for name in NAMING_GROUPS},
        "checkpoint": material.checkpoint,
        "step": material.step,
    }
    of_weights = findings_of(material.run_dir, material.checkpoint, material.step)
    return Inspection(facts, material.prepared.codec.input_kind, examples, has_details=False, **of_weights)
