"""Patching, ablation and names of heads: on a model whose circuit is set by hand, and on every model of ours."""

import functools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tasks_toys import LABELLED, PAIRS, attention, classifier, label_codec, pair_codec, rows, seq2seq, transformer

from attnfocus.attention import changed_heads
from attnfocus.data import Induction
from attnfocus.data.batches import collate
from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError, DataError
from attnfocus.explanation.head_table import name_heads
from attnfocus.explanation.interventions import Noted, Put, changed, parts_of
from attnfocus.explanation.patching import patch
from attnfocus.explanation.removal import ablated, with_costs
from attnfocus.models import RNNLanguageModel, TransformerLanguageModel
from attnfocus.tasks import ClassificationTask, LanguageModelingTask, TranslationTask

TOKENS, PREVIOUS, POSITIONS, HEAD_DIM = slice(0, 11), slice(11, 22), slice(22, 36), 24
SENDER, RECEIVER = ("layers.0", 0), ("layers.1", 1)
ALL, ONE = ("heads", "weights", "states"), DecodingOptions(max_length=1, at_limit="cut")
CLEAN, CORRUPTED = "s0 s1 s2 s3 s0", "s2 s1 s0 s3 s0"  # what follows s0? s1, s3


@functools.cache
def induction():
    """Two layers of two heads, the weights of which are set: head 0 of the first copies the token before, head 1 of the
    second looks for the place before which the own token stands, and copies what is there. The other two do nothing."""
    source = Induction(vocab_size=6, length=12, num_train=200, num_valid=1, num_test=32)
    splits = source.read(Path(), 1).splits
    codec = SequenceCodec.learn(splits["train"], TokenizerOptions(kind="whitespace"))
    assert codec.tokenizer.vocab_size == TOKENS.stop
    sizes = {"embed_dim": 48, "num_layers": 2, "num_heads": 2, "max_length": 14, "tied_embeddings": False}
    model = TransformerLanguageModel(attention=attention(), **codec.dims(), **sizes).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.zero_()
        model.embedding.weight[:, TOKENS] = torch.eye(11) / model.embedding.scale
        model.position.table[:, POSITIONS] = torch.eye(14)
        model.output.weight[:, TOKENS] = 5 * torch.eye(11)
        first, second = (layer.attention for layer in model.layers)
        first.query_projection.weight[:13, POSITIONS.start + 1 : POSITIONS.stop] = 8 * torch.eye(13)  # i asks for i - 1
        first.key_projection.weight[:14, POSITIONS] = torch.eye(14)
        first.value_projection.weight[:11, TOKENS] = torch.eye(11)
        first.output_projection.weight[PREVIOUS, :11] = 0.3 * torch.eye(11)
        head = slice(HEAD_DIM, HEAD_DIM + 11)
        second.query_projection.weight[head, TOKENS] = 8 * torch.eye(11)
        second.key_projection.weight[head, PREVIOUS] = torch.eye(11)
        second.value_projection.weight[head, TOKENS] = torch.eye(11)
        second.output_projection.weight[TOKENS, head] = torch.eye(11)
    return LanguageModelingTask(codec), model, codec.encode_rows(splits["test"])


def text(task, words):
    return task.codec.encode_input(words, words)


@functools.cache
def patched():
    task, model, _ = induction()
    pair = text(task, CLEAN), text(task, CORRUPTED)
    return patch(task, model, *pair, ALL, with_paths=True, decoding=ONE)


def test_patching_finds_the_two_heads_of_induction():
    found = patched()
    assert (found.answer, found.other) == ("s1", "s3")
    assert found.clean > 1 > -1 > found.corrupted
    restored = {(part.name, head): part.whole[head] for part in found.of_kind("heads") for head in part.heads}
    for head, value in restored.items():
        assert value == pytest.approx(1 if head in (SENDER, RECEIVER) else 0, abs=0.02), head
    weights = {(part.name, head): part.whole[head] for part in found.of_kind("weights") for head in part.heads}
    assert weights[RECEIVER] == pytest.approx(1, abs=0.02)  # where it looks; the head before copies what stands there
    assert weights[SENDER] == pytest.approx(0, abs=0.02)


def test_patching_finds_the_positions():
    heads = {part.name: part for part in patched().of_kind("heads")}
    first, second = heads["layers.0"], heads["layers.1"]
    assert second.positions == ("<bos>", "s0/s2", "s1", "s2/s0", "s3", "s0")
    assert second.by_position[1].round(2).tolist() == [0, 0, 0, 0, 0, 1]  # the token that asks
    assert (first.by_position[0, [2, 4]] > 0.3).all()  # the places behind both: each makes one answer possible again
    assert np.abs(first.by_position[0, [0, 1, 3, 5]]).max() < 0.02
    assert np.abs(first.by_position[1]).max() < 0.02
    states = {part.name: part for part in patched().of_kind("states")}
    assert states["layers.1"].by_position[0].round(2).tolist() == [0, 0, 0, 0, 0, 1]
    assert states["layers.1"].whole == pytest.approx([1])


def test_the_path_runs_from_the_one_head_to_the_other():
    paths = patched().paths
    from_sender = dict(zip(paths.heads, paths.restored[paths.heads.index(SENDER)], strict=True))
    assert from_sender.pop(RECEIVER) == pytest.approx(1, abs=0.02)
    others = {head: value for head, value in from_sender.items() if head != SENDER}
    assert np.abs(list(others.values())).max() < 0.02


def test_heads_are_named_and_cost_what_they_do():
    task, model, examples = induction()
    table = name_heads(task, model, examples, num_examples=32, split="test")
    kinds = {(head.attention, head.number): head.kind for head in table.heads}
    assert kinds == {
        SENDER: "previous token",
        ("layers.0", 1): "diffuse",
        ("layers.1", 0): "diffuse",
        RECEIVER: "induction",
    }
    assert table.counts == {"previous token": 1, "induction": 1, "diffuse": 2}
    assert all(head.score > 0.9 for head in table.heads)
    for removal in ("mean", "zero"):
        measured = with_costs(table, task, model, examples, removal)
        assert measured.metrics["exact_match"] == 1
        for head in measured.heads:
            is_needed = (head.attention, head.number) in (SENDER, RECEIVER)
            assert (head.costs["loss"] > 1) == (head.costs["exact_match"] > 0.5) == is_needed
    both = ablated(task, model, examples, [("layers.0", 1), ("layers.1", 0)], num_examples=32, split="test")
    assert both.costs["exact_match"] == 0
    assert not any(each.head_change for each in model.attentions().values())
    with pytest.raises(ConfigError, match=r"no head 2 of layers\.1. There are: layers\.0 \(0 to 1\)"):
        ablated(task, model, examples, [("layers.1", 2)], num_examples=32, split="test")


def test_two_texts_that_cannot_be_compared_are_refused():
    task, model, _ = induction()
    with pytest.raises(ConfigError, match="corrupted: has 5 tokens, and the clean text 6"):
        patch(task, model, text(task, CLEAN), text(task, "s0 s1 s2 s0"), decoding=ONE)
    with pytest.raises(DataError, match=r"answered as the clean text is \(s1\)"):
        patch(task, model, text(task, CLEAN), text(task, "s0 s1 s2 s2 s0"), decoding=ONE)


def made(name):
    """Task, model, a clean and a corrupted example of equal length."""
    if name == "rnn_language_model":
        task = induction()[0]
        torch.manual_seed(0)
        model = RNNLanguageModel(attention=attention("additive"), embed_dim=16, hidden_size=16, **task.codec.dims())
        return task, model, text(task, CLEAN), text(task, CORRUPTED)
    if name in ("seq2seq", "input_feeding", "attend_then_recur", "transformer_seq2seq", "coverage"):
        codec = pair_codec()
        options = {"input_feeding": True} if name == "input_feeding" else {}
        options = {"order": "attend_then_recur"} if name == "attend_then_recur" else options
        attend = "coverage" if name == "coverage" else "additive"
        model = (
            transformer(codec, "multi_head") if name.startswith("transformer") else seq2seq(codec, attend, **options)
        )
        task, given = TranslationTask(codec), codec.encode_rows(rows(PAIRS))
        return task, model, given[2], given[8]
    codec = label_codec()
    task, given = ClassificationTask(codec), codec.encode_rows(rows(LABELLED))
    kind, options = {"cls": ("TransformerClassifier", {"pooling": "cls"})}.get(name, (name, {}))
    return task, classifier(kind, codec, **options), given[1], given[5]


MODELS = (
    "rnn_language_model",
    "seq2seq",
    "input_feeding",
    "attend_then_recur",
    "coverage",
    "transformer_seq2seq",
    "TransformerClassifier",
    "RNNClassifier",
    "PoolingClassifier",
    "cls",
)


def put_back(task, model, clean, corrupted):
    """With the first answer of some that is another one than that to the corrupted input."""
    targets = {"translation": ["x y z w", "w"], "classification": ["no", "maybe"]}.get(task.name, ["s1", "s3"])
    for target in targets:
        try:
            return patch(task, model, clean, corrupted, ALL, target=target)
        except DataError:
            continue
    raise AssertionError("no answer is another one")


@pytest.mark.parametrize("name", MODELS)
def test_every_part_of_every_model_can_be_put_back(name):
    """All at once give the clean answer's context: nothing is left of the corrupted one but what goes by other ways."""
    task, model, clean, corrupted = made(name)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    found = put_back(task, model.eval(), clean, corrupted)
    names = [part.name for part in found.of_kind("heads")]
    assert names == [place.name for place in model.places()]
    for part in found.parts:
        assert part.by_position.shape == (len(part.heads), len(part.positions))
        assert np.isfinite(part.by_position).all()
        assert np.isfinite(part.whole).all()
    recurrent = {
        "rnn_language_model": ["recurrent.0"],
        "seq2seq": ["encoder.layers.0.forwards", "encoder.layers.0.backwards", "decoder.recurrent.0"],
        "RNNClassifier": ["encoder.layers.0.forwards", "encoder.layers.0.backwards"],
    }
    if name in recurrent:
        assert [part.name for part in found.of_kind("states")] == recurrent[name]
    tops = [part for part in found.parts if (part.name, part.kind) in (("pooling", "heads"), ("layers.0", "states"))]
    for top in tops:
        assert top.whole[: 1 if top.kind == "states" else None].sum() == pytest.approx(1, abs=1e-4)


def test_what_a_part_gives_is_noted_and_put_step_by_step():
    own = torch.arange(12.0).view(1, 2, 3, 2)
    noted, chosen = Noted(), torch.zeros(1, 2, 3, dtype=torch.bool)
    chosen[0, 1, 2] = True
    put = Put(-own, chosen)
    steps = [put(noted(step)) for step in own.split(1, dim=-2)]
    assert torch.equal(noted.values, own)
    assert torch.equal(torch.cat(steps, dim=-2), torch.where(chosen[..., None], -own, own))


def test_heads_cannot_be_changed_twice():
    _, model, _ = induction()
    (each, *_) = model.attentions().values()
    same, refused = (lambda context: context), pytest.raises(ValueError, match="changed already")
    with changed_heads(each, same), refused, changed_heads(each, same):
        pass
    assert each.head_change is None


def test_an_unchanged_part_changes_nothing():
    task, model, examples = induction()
    batch = collate(list(examples[:4]))
    before = task.maps(model, batch)
    for kind in ("heads", "weights", "states"):
        for part in parts_of(model, kind):
            with changed(model, part, Noted()):
                after = task.maps(model, batch)
            for name in before:
                torch.testing.assert_close(after[name], before[name], msg=f"{part}")
    assert math.isclose(float(before["layers.0"][0, 0].sum()), 13, abs_tol=1e-4)
