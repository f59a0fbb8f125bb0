"""Attention by layer: which attention each layer has, in every Transformer and place.

Shapes: B batch, S source tokens, D width.
"""

import math

import pytest
import torch
from sequence_toys import assert_steps_equal_teacher_forcing, batch
from translator_presets import SIZES

from attnfocus.attention import AlibiPosition, DifferentialAttention, LocalPattern, RotaryPosition
from attnfocus.models import TransformerClassifier, TransformerLanguageModel, TransformerSeq2Seq
from attnfocus.models.layer_attentions import by_layer


def kinds(layers, name="attention"):
    """Pattern and position of each layer's attention, without the words that all have."""
    attentions = [getattr(layer, name) for layer in layers]
    return [
        f"{type(each.pattern).__name__}/{type(each.position).__name__}".replace("Pattern", "").replace("Position", "")
        for each in attentions
    ]


def classifier(**changes):
    sizes = {"num_classes": 3, "vocab_size": 12, "embed_dim": 8, "feedforward_dim": 8, "num_heads": 2, "dropout": 0.0}
    return TransformerClassifier(**(sizes | changes))


def test_a_stack_is_repeated_to_fill_the_layers_and_each_knows_its_depth(make_attention):
    stack = [make_attention("local"), make_attention("local"), make_attention("rotary")]
    model = classifier(attention=make_attention("dot"), num_layers=5, layer_attentions=stack)
    assert kinds(model.layers) == ["Local/No", "Local/No", "Full/Rotary", "Local/No", "Local/No"]
    assert [layer.attention.depth for layer in model.layers] == [0, 1, 2, 3, 4]


def test_a_stack_of_one_attention_is_that_attention_in_all_layers(make_attention):
    def made(**options):
        torch.manual_seed(3)
        return classifier(num_layers=2, **options).eval()

    one = made(attention=make_attention("alibi"))
    other = made(attention=make_attention("dot"), layer_attentions=[make_attention("alibi")])
    source, lengths, _ = batch()
    torch.testing.assert_close(one(source, lengths).logits, other(source, lengths).logits, rtol=0, atol=0)


def test_the_longest_input_is_that_of_the_shortest_layer(make_attention):
    stack = [make_attention("rotary"), make_attention("learned")]
    model = classifier(attention=make_attention("dot"), num_layers=2, layer_attentions=stack)
    assert model.max_input_length == model.layers[1].attention.max_length == 512


def test_cls_needs_one_layer_that_sees_everything(make_attention):
    local, rotary = make_attention("local"), make_attention("rotary")
    options = {"attention": rotary, "num_layers": 2, "pooling": "cls"}
    assert classifier(**options, layer_attentions=[local, rotary]).cls is not None
    with pytest.raises(ValueError, match="must see every position"):
        classifier(**options, layer_attentions=[local])


def test_pooling_keeps_the_attention_that_the_layers_leave(make_attention):
    model = classifier(
        attention=make_attention("additive"), pooling="attention", layer_attentions=[make_attention("rotary")]
    )
    assert type(model.pooling.attention.score).__name__ == "AdditiveScore"


def test_differential_attention_follows_its_layer(make_attention):
    model = classifier(attention=make_attention("differential"), num_layers=3)
    starts = [layer.attention.start_of_lambda for layer in model.layers]
    assert starts == pytest.approx([0.2, 0.8 - 0.6 * math.exp(-0.3), 0.8 - 0.6 * math.exp(-0.6)])
    score = make_attention("differential").keywords["score"]
    assert DifferentialAttention(8, 8, score=score, lambda_init=0.5).start_of_lambda == 0.5


def test_each_place_of_the_translator_may_have_a_stack(make_attention):
    local, rotary, alibi = (make_attention(name) for name in ("local", "rotary", "alibi"))
    model = TransformerSeq2Seq(
        attention=make_attention("t5"),
        **(SIZES | {"num_encoder_layers": 3, "num_decoder_layers": 2}),
        layer_attentions=[alibi],
        encoder_layer_attentions=[local, rotary],
        decoder_layer_attentions=[rotary, local],
    )
    assert kinds(model.encoder.layers) == ["Local/No", "Full/Rotary", "Local/No"]
    assert kinds(model.decoder.layers, "self_attention") == ["Causal/Rotary", "Backward/No"]
    assert kinds(model.decoder.layers, "cross_attention") == ["Full/No", "Full/No"]
    assert [note for note in model.notes if "AlibiPosition" in note] == list(model.notes)
    assert [layer.cross_attention.depth for layer in model.decoder.layers] == [0, 1]


@pytest.mark.parametrize("stack", [["local", "rotary", "forgetting"], ["cope", "differential"]])
def test_stepping_through_a_stack_equals_teacher_forcing(stack, make_attention):
    torch.manual_seed(1)
    sizes = SIZES | {"num_encoder_layers": 1, "num_decoder_layers": 3}
    stacks = {"layer_attentions": [make_attention("multi_head")]}
    stacks["decoder_layer_attentions"] = [make_attention(name) for name in stack]
    model = TransformerSeq2Seq(attention=make_attention("multi_head"), **sizes, **stacks).double()
    assert_steps_equal_teacher_forcing(model.eval(), "decoder.layers.1.cross")


def test_a_language_model_reads_token_by_token_what_it_reads_at_once(make_attention):
    """Windows and gates of one layer together: what leaves the window still stands between a sink and the query."""
    windows = ("attention/position=forgetting", "attention.pattern.window=1", "attention.pattern.num_global=1")
    stack = [make_attention("sink_window", *windows), make_attention("moba"), make_attention("cope")]
    torch.manual_seed(1)
    model = TransformerLanguageModel(
        attention=make_attention("causal"), vocab_size=12, embed_dim=8, num_heads=2, feedforward_dim=8, num_layers=3,
        layer_attentions=stack,
    ).double().eval()  # fmt: skip
    tokens = torch.randint(4, 12, (2, 11))
    whole, state = model(tokens, torch.tensor([11, 11])), model.start(2)
    for place in range(11):
        output, state = model.read(tokens[:, place : place + 1], state)
        torch.testing.assert_close(output.logits[:, 0], whole.logits[:, place])
    assert kinds(model.layers) == ["Backward/Forgetting", "Backward/No", "Causal/Contextual"]


def test_what_does_not_fit_says_where_it_stands(make_attention):
    names = ("multi_head", "coverage", "linformer", "rotary")
    multi_head, coverage, linformer, rotary = (make_attention(name) for name in names)
    with pytest.raises(ValueError, match=r"layer_attentions names 3 attentions for 2 layers: name 1 to 2"):
        by_layer(rotary, 2, [rotary, rotary, rotary])
    with pytest.raises(ValueError, match=r"layer_attentions names 0 attentions"):
        by_layer(rotary, 2, [])
    with pytest.raises(ValueError, match=r"^layer_attentions\[1\]: this attention goes by the steps of a decoder"):
        classifier(attention=rotary, num_layers=2, layer_attentions=[rotary, coverage])
    sizes = SIZES | {"num_decoder_layers": 2}
    with pytest.raises(ValueError, match=r"^decoder_layer_attentions\[1\]: the decoder's self-attention must not"):
        TransformerSeq2Seq(attention=multi_head, decoder_layer_attentions=[rotary, linformer], **sizes)
    with pytest.raises(ValueError, match=r"^cross_layer_attentions\[0\]: Attention compares positions"):
        TransformerSeq2Seq(attention=multi_head, cross_layer_attentions=[rotary], **sizes)
    with pytest.raises(ValueError, match="encoder_attention and encoder_layer_attentions are both given"):
        TransformerSeq2Seq(attention=multi_head, encoder_attention=rotary, encoder_layer_attentions=[rotary], **SIZES)


def test_factories_are_called_with_what_the_layer_gives(make_attention):
    made = by_layer(make_attention("local"), 1, [make_attention("alibi")])[0](query_dim=8, key_dim=8, num_heads=2)
    assert isinstance(made.position, AlibiPosition)
    assert made.num_heads == 2
    assert not isinstance(made.pattern, LocalPattern)
    assert not isinstance(made.position, RotaryPosition)
