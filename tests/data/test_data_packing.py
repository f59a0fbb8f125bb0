"""Packed rows: every text once, in as few rows as nearly fit, by (seed, epoch) alone."""

from functools import partial

import numpy as np
import pytest
from test_data_windows import examples_of

from attnfocus.data.epochs import Epochs, Share
from attnfocus.data.examples import Examples
from attnfocus.data.packed_plan import PackedPlan
from attnfocus.data.packing import Packing, best_fit, in_order
from attnfocus.models import LanguageModel, Seq2Seq, TransformerLanguageModel
from attnfocus.runs.dataset import packing_problems
from attnfocus.tasks import TASKS
from attnfocus.training.options import TrainerOptions


def lengths_of(count: int, seed: int = 0) -> list[int]:
    found = np.random.default_rng(seed).lognormal(3, 0.8, count).astype(int).clip(1, 128)
    return [int(length) for length in found]


@pytest.mark.parametrize("lay", [in_order, best_fit])
def test_rows_hold_every_text_once_and_are_nearly_full(lay) -> None:  # type: ignore[no-untyped-def]
    lengths = lengths_of(2000)
    rows = lay(lengths, 128)
    assert sorted(text for row in rows for text in row) == list(range(2000))
    assert max(sum(lengths[text] for text in row) for row in rows) <= 128
    if lay is best_fit:
        assert sum(lengths) > 0.99 * 128 * len(rows)
        assert best_fit([5, 4, 3, 2, 2], 8) == [[0, 2], [1, 3, 4]]  # 5 + 3 and 4 + 2 + 2
    else:
        assert in_order([5, 4, 3, 2, 2], 8) == [[0], [1, 2], [3, 4]]


def test_a_packing_says_where_each_text_stands() -> None:
    packing = Packing.of([3, 9, 2, 4], 6)  # the second is longer than a row
    assert packing.num_rows == 3
    places: dict[int, list[range]] = {}
    for row, start, length in zip(packing.rows, packing.starts, packing.lengths, strict=True):
        places.setdefault(row, []).append(range(start, start + length))
    assert sorted(places) == [0, 1, 2]
    for texts in places.values():
        cells = [cell for text in texts for cell in text]
        assert sorted(cells) == list(range(len(cells)))
    doubled = packing.twice()
    assert doubled.rows == (*packing.rows, *(row + 3 for row in packing.rows))


def documents(count: int = 300) -> Examples:
    sizes = [length + 1 for length in lengths_of(count, seed=1)]
    return Examples.of_packed(examples_of([list(range(2, size + 2)) for size in sizes], 40), None)  # type: ignore[arg-type]


def test_a_plan_of_packed_rows_is_a_function_of_seed_and_epoch() -> None:
    examples = documents()
    plan = PackedPlan(partial(examples.drawn_lengths, 3), 40, 4, 3)
    epochs = Epochs(examples, plan)
    first, second = epochs(0), epochs(1)
    for batches, epoch in ((first, 0), (second, 1)):
        assert sorted(number for group in batches.groups for number in group) == list(range(len(examples)))
        drawn = [len(examples.drawn(number, 3, epoch).inputs) for number in range(len(examples))]
        assert drawn == examples.drawn_lengths(3, epoch).tolist()
        for batch in batches:
            assert batch.packing is not None
            assert batch.packing.num_rows <= 4
    assert [list(group) for group in first.groups] != [list(group) for group in second.groups]
    again = Epochs(examples, PackedPlan(partial(examples.drawn_lengths, 3), 40, 4, 3))(1)
    assert [list(group) for group in again.groups] == [list(group) for group in second.groups]
    assert " rows of 40, 9" in plan.notes()[0]


def test_processes_share_the_texts_of_a_batch() -> None:
    examples = documents()
    plan = PackedPlan(partial(examples.drawn_lengths, 3), 40, 4, 3)
    whole, *shares = (Epochs(examples, plan, share)(0) for share in (Share(), Share(0, 2), Share(1, 2)))
    for batch, one, other in zip(whole, *shares, strict=True):
        assert sorted(batch.ids) == sorted(one.ids + other.ids)
        assert one.packing is not None
        assert one.packing.num_rows <= 4


def test_what_cannot_be_packed_is_refused_with_the_way_out() -> None:
    trainer = TrainerOptions(packing=True)
    (problem,) = packing_problems(trainer, Seq2Seq, TASKS["translation"])
    assert problem == "trainer.packing: is for language models. Use trainer.packing=false."
    (problem,) = packing_problems(trainer, LanguageModel, TASKS["language_modeling"])
    assert "LanguageModel reads one text a row" in problem
    compiled = TrainerOptions(packing=True, compile=True)
    assert (
        "compile the model for each"
        in packing_problems(compiled, TransformerLanguageModel, TASKS["language_modeling"])[0]
    )
    assert not packing_problems(trainer, TransformerLanguageModel, TASKS["language_modeling"])
    assert not packing_problems(TrainerOptions(), Seq2Seq, TASKS["translation"])
