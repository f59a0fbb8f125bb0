"""The alignment error rate of evaluations: which weights, which tokens, which rows."""

from dataclasses import replace

import pytest
import torch
from tasks_toys import PAIRS, batches, pair_codec, rows, seq2seq, transformer

from attnfocus.focus.alignment import alignment_error_rate, argmax_links
from attnfocus.models import Place
from attnfocus.tasks import TranslationTask
from attnfocus.tasks.looks import Look
from attnfocus.tasks.measures.alignment import AlignmentErrors, aligning_place

CROSS = Place("cross", "cross", "output", "input")


def look(weights):
    """All of weights (B, H, T, S) is real."""
    return Look(CROSS, weights, *(torch.full((len(weights),), weights.shape[axis]) for axis in (3, 2)))


def aligned_rows():
    """The pairs, of which the words lie crosswise, with each word aligned: words are single letters."""
    known = []
    for row in rows(PAIRS):
        size = len(row.target.split())
        known.append(replace(row, alignment=tuple((2 * i, 2 * i) for i in range(size))))
    return known


def test_the_last_layer_but_one_is_read():
    encoder = Place("encoder.layers.0", "self", "input", "input")
    decoder = []
    for depth in range(3):
        decoder.append(Place(f"decoder.layers.{depth}.self", "self", "output", "output"))
        decoder.append(Place(f"decoder.layers.{depth}.cross", "cross", "output", "input"))
    assert aligning_place([CROSS]) == CROSS
    assert aligning_place([encoder, *decoder]) == decoder[3]
    assert aligning_place(decoder[:2]) == decoder[1]
    assert aligning_place([encoder]) is None


def test_error_rate_by_hand():
    """`c b a` to `z y x`: links 0-0, 1-2, 2-2 of which 1-2 is wrong; mean of two heads; EOS looks anywhere."""
    head = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.3, 0.6], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    other = torch.tensor([[0.4, 0.6, 0.0], [0.2, 0.4, 0.4], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]])
    errors = AlignmentErrors(pair_codec())
    errors.add(aligned_rows()[2:3], [look(torch.stack((head, other))[None])])
    assert errors.metrics() == {"alignment_error_rate": pytest.approx(1 - (2 + 2) / (3 + 3))}


def test_target_tokens_without_known_links_are_left_out():
    (row,) = aligned_rows()[2:3]
    errors = AlignmentErrors(pair_codec())
    errors.add([replace(row, alignment=((0, 0),))], [look(torch.eye(4, 3).roll(1, dims=0)[None, None])])
    assert errors.metrics() == {"alignment_error_rate": 1.0}  # `z` looked nowhere; nothing is known of the others
    errors.add([replace(row, alignment=((0, 0),))], [look(torch.eye(4, 3)[None, None])])
    assert errors.metrics() == {"alignment_error_rate": pytest.approx(1 - 2 / 3)}


@pytest.mark.parametrize("make", [seq2seq, transformer])
def test_evaluations_tell_it_whatever_the_batches(make):
    codec = pair_codec()
    model, task, known = make(codec), TranslationTask(codec), aligned_rows()
    rates = []
    for size, order in ((11, None), (1, None), (4, range(10, -1, -1))):
        rates.append(task.evaluate(model, batches(codec, known, size, order)).metrics["alignment_error_rate"])
    assert rates[1:] == pytest.approx(rates[:2])
    (batch,) = batches(codec, known[:1], 1)
    weights = model.eval()(batch.inputs, batch.input_lengths, batch.targets[:, :-1], need_weights=True).weights
    links = argmax_links(weights[aligning_place(model.places()).name].mean(dim=1))[0, :1]
    gold = torch.ones(1, 1, dtype=torch.bool)
    alone = task.evaluate(model, batches(codec, known[:1], 1)).metrics["alignment_error_rate"]
    assert alone == alignment_error_rate(links, gold, gold)


def test_rows_without_alignments_give_no_rate():
    codec = pair_codec()
    metrics = TranslationTask(codec).evaluate(seq2seq(codec), batches(codec, rows(PAIRS), 4)).metrics
    assert "alignment_error_rate" not in metrics
    assert TranslationTask.directions["alignment_error_rate"] == "min"
