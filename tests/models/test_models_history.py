"""Attention that depends on where a decoder looked before: in beam search, in training, and where it has no place."""

import functools
import itertools

import pytest
import torch
from decoder_presets import BOTH_ORDERS, FOLLOWING, VARIANTS
from sequence_toys import loss_after_learning

from attnfocus.decoding import DecodingOptions, beam_search
from attnfocus.models import PoolingClassifier, RNNClassifier, Seq2Seq, TransformerClassifier
from attnfocus.special import BOS, EOS

SIZES = {
    "source_vocab_size": 12,
    "target_vocab_size": 12,
    "embed_dim": 8,
    "hidden_size": 8,
    "dropout": 0.0,
    "readout": "tanh",
}
SOURCE = torch.tensor([[4, 5, 6, 7, 8, 9], [9, 4, 11, 0, 0, 0], [7, 0, 0, 0, 0, 0], [10, 8, 6, 4, 5, 0]])
LENGTHS = torch.tensor([6, 3, 1, 5])


def build(attention, seed=0, **changes):
    torch.manual_seed(seed)
    model = Seq2Seq(attention=attention, **(SIZES | changes)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7)  # nothing is 0, and outputs are far from flat
        model.output.bias[EOS] -= 3  # so that hypotheses have some length
    return model


def searched(model):
    options = DecodingOptions(beam_size=3, length_penalty=1.0, max_length=7)
    return [best for [best] in beam_search(model, SOURCE, LENGTHS, options, need_weights=True)]


@torch.no_grad()
def forced(model, row, ids):
    """Log probability of the ids and EOS, and the weights: one sentence, teacher-forced."""
    length = int(LENGTHS[row])
    read, written = [BOS, *ids], [*ids, EOS]
    output = model(SOURCE[row : row + 1, :length], LENGTHS[row : row + 1], torch.tensor([read]), need_weights=True)
    log_probs = output.logits[0].log_softmax(-1)
    return log_probs[range(len(written)), written].sum().item(), output.weights["cross"][0][:, : len(ids)]


@pytest.mark.parametrize("name", [*FOLLOWING, "local_predictive", "additive"])
@pytest.mark.parametrize("variant", [*BOTH_ORDERS, "luong_fed"])
def test_hypotheses_of_a_beam_carry_their_own_past(name, variant, make_attention):
    """What the search says of its best hypothesis is what the model says of it alone, with no beam beside it."""
    model = build(make_attention(name), **VARIANTS[variant])
    found = searched(model)
    assert any(len(hypothesis.ids) > 2 for hypothesis in found)
    for row, hypothesis in enumerate(found):
        score, weights = forced(model, row, hypothesis.ids)
        assert hypothesis.score == pytest.approx(score, rel=1e-6)
        torch.testing.assert_close(hypothesis.weights.double(), weights)


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_past_left_behind_would_be_noticed(name, make_attention):
    """The test above with the histories of other hypotheses: what search and model say no longer agrees."""
    agree = []
    for seed in range(4):
        model = build(make_attention(name), seed)
        model.select = functools.partial(forgetful, model.select)
        for row, hypothesis in enumerate(searched(model)):
            agree.append(hypothesis.score == pytest.approx(forced(model, row, hypothesis.ids)[0], rel=1e-6))
    assert not all(agree)


def forgetful(select, tree, index):
    """Reorders everything but the histories, while there are as many hypotheses as before."""
    taken = select(tree, index)
    stays = hasattr(tree, "history") and len(index) == len(tree.history.previous)
    return taken._replace(history=tree.history) if stays else taken


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_second_step_depends_on_the_first(name, make_attention):
    model = build(make_attention(name))
    memory = model.encode(SOURCE, LENGTHS)
    tokens, start = torch.tensor([4, 5, 6, 7]), model.start(memory)
    state = model.step(tokens, start, memory)[1]
    expected, _, _ = model.step(tokens, state, memory)
    forgotten, _, _ = model.step(tokens, state._replace(history=start.history), memory)
    assert not torch.allclose(expected[0], forgotten[0])


@pytest.mark.parametrize("name", FOLLOWING)
@pytest.mark.parametrize(
    ("model", "options"),
    [
        (TransformerClassifier, {"embed_dim": 8, "num_heads": 2}),
        (TransformerClassifier, {"embed_dim": 8, "num_heads": 2, "pooling": "attention"}),
        (RNNClassifier, {"embed_dim": 8, "hidden_size": 8}),
        (PoolingClassifier, {"embed_dim": 8}),
    ],
)
def test_encoders_refuse_it_and_say_what_works(name, model, options, make_attention):
    with pytest.raises(ValueError, match=r"an encoder has no steps\. Use model=seq2seq, or attention=additive"):
        model(attention=make_attention(name), num_classes=3, vocab_size=11, **options)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), zip([*FOLLOWING, "local_predictive"], itertools.cycle(BOTH_ORDERS)))
def test_sequences_are_learnt_to_be_copied(name, variant, make_attention):
    torch.manual_seed(0)
    options = {"embed_dim": 24, "hidden_size": 24, "source_vocab_size": 8, "target_vocab_size": 8, "dropout": 0.0}
    model = Seq2Seq(attention=make_attention(name), **VARIANTS[variant], **options)
    assert loss_after_learning(model, lambda source: source, lr=0.015, steps=100, num_sentences=24) < 0.7
