"""The encoder-decoder Transformer: padding, stepping, its three places of attention, and torch's own Transformer."""

import itertools

import pytest
import torch
from sequence_toys import (
    assert_dropout_acts_in_training_only,
    assert_steps_equal_teacher_forcing,
    batch,
    gradients,
    loss_after_learning,
)
from torch import nn
from translator_presets import CASES, EVERYWHERE, PLACES, SIZES, SOMEWHERE, VARIANTS, refusal

from attnfocus.decoding import DecodingOptions, decode
from attnfocus.errors import DataError
from attnfocus.models import TransformerSeq2Seq
from attnfocus.tasks.token_probe import within_reach

every_case = pytest.mark.parametrize(("name", "place", "variant"), CASES)


def in_turn(*choices):
    """Every case once, with one of the choices after the other."""
    return [(*case, choice) for case, choice in zip(CASES, itertools.cycle(choices), strict=False)]


def build(attention, **changes):
    torch.manual_seed(1)
    return TransformerSeq2Seq(attention=attention, **(SIZES | changes)).double()


@pytest.fixture
def make(make_attention):
    """make(preset, place, variant) -> a model with the preset there and multi_head elsewhere."""

    def make(name, place="attention", variant="pre", **changes):
        given = {"attention": make_attention("multi_head"), place: make_attention(name)}
        return build(given.pop("attention"), **given, **VARIANTS[variant], **changes)

    return make


@pytest.mark.parametrize(("name", "place", "variant", "need_weights"), in_turn(False, True))
def test_padding_never_changes_the_result(name, place, variant, need_weights, make):
    model = make(name, place, variant)
    source, lengths, target = batch()
    target[1, 3:] = 0
    written = [5, 3, 5, 5]
    output = model(source, lengths, target, need_weights)
    together = gradients(
        model, sum(each[:size].square().sum() for each, size in zip(output.logits, written, strict=True))
    )
    axes = {place.name: (place.queries, place.keys) for place in model.places()}
    alone = []
    for row, (length, size) in enumerate(zip(lengths.tolist(), written, strict=True)):
        one = slice(row, row + 1)
        each = model(source[one, :length], lengths[one], target[one, :size], need_weights)
        torch.testing.assert_close(output.logits[one, :size], each.logits)
        for where, weights in each.weights.items():
            num_queries, num_keys = ({"input": length, "output": size}[axis] for axis in axes[where])
            torch.testing.assert_close(output.weights[where][one, :, :num_queries, :num_keys], weights)
            assert output.weights[where][row, :, :num_queries, num_keys:].eq(0).all()
        alone.append(each.logits.square().sum())
    torch.testing.assert_close(together, gradients(model, sum(alone)))


@pytest.mark.parametrize(("name", "place", "variant", "graph"), in_turn(False, True))
def test_teacher_forcing_equals_stepping(name, place, variant, graph, make):
    model = make(name, place, variant)
    aligning = max(0, len(model.decoder.layers) - 2)
    with torch.set_grad_enabled(graph):
        assert_steps_equal_teacher_forcing(model, f"decoder.layers.{aligning}.cross")


def test_stepping_over_many_tokens_equals_teacher_forcing(make):
    """Far beyond the room that a memory starts with, and beyond blocks and windows of the patterns."""
    for name in ("multi_head", "rotary", "local", "bigbird", "linear"):
        model = make(name)
        source, lengths, _ = batch()
        target = torch.randint(4, 12, (4, 70), generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            expected = model(source, lengths, target).logits
            memory = model.encode(source, lengths)
            state = model.start(memory)
            for position, tokens in enumerate(target.unbind(1)):
                logits, state, _ = model.step(tokens, state, memory)
                torch.testing.assert_close(logits, expected[:, position])


@pytest.mark.parametrize("name", EVERYWHERE)
def test_no_token_knows_those_after_it(name, make):
    model = make(name)
    source, lengths, target = batch()
    before = model(source, lengths, target, need_weights=True)
    target[:, 3:] = 11
    after = model(source, lengths, target, need_weights=True)
    torch.testing.assert_close(before.logits[:, :3], after.logits[:, :3])
    assert not torch.equal(before.logits[:, 3:], after.logits[:, 3:])
    assert before.weights["decoder.layers.0.self"].triu(1).eq(0).all()


@every_case
def test_selected_rows_go_on_as_if_alone(name, place, variant, make):
    model = make(name, place, variant)
    source, lengths, target = batch()
    with torch.no_grad():
        memory = model.encode(source, lengths)
        state = model.step(target[:, 0], model.start(memory), memory)[1]
        state = model.step(target[:, 1], state, memory)[1]
        index = torch.tensor([2, 0, 2])
        picked, of_picked = model.select(state, index), model.select(memory, index)
        expected = model.step(target[:, 2], state, memory)[0]
        logits, _, _ = model.step(target[index, 2], picked, of_picked)
        torch.testing.assert_close(logits, expected[index])


def test_a_state_can_be_gone_on_from_twice(make):
    model = make("multi_head")
    source, lengths, target = batch()
    with torch.no_grad():
        memory = model.encode(source, lengths)
        state = model.start(memory)
        for tokens in target[:, :2].unbind(1):
            state = model.step(tokens, state, memory)[1]
        first = model.step(target[:, 2], state, memory)[1]
        expected = model.step(target[:, 3], first, memory)[0]
        first = model.step(target[:, 2], state, memory)[1]
        model.step(target[:, 4], state, memory)  # another branch, which must leave the first one alone
        torch.testing.assert_close(model.step(target[:, 3], first, memory)[0], expected)


@every_case
def test_empty_source_gives_finite_logits_and_gradients(name, place, variant, make):
    model = make(name, place, variant)
    target = torch.tensor([[2, 5], [2, 6]])
    for source in (torch.tensor([[4, 5], [0, 0]]), torch.empty(2, 0, dtype=torch.long)):
        output = model(source, torch.tensor([source.shape[1], 0]), target, need_weights=True)
        assert output.logits.isfinite().all()
        assert output.weights["decoder.layers.0.cross"][1].eq(0).all()
        assert all(g.isfinite().all() for g in gradients(model, output.logits.sum()).values())


@every_case
def test_every_parameter_is_trained(name, place, variant, make):
    model = make(name, place, variant)
    grads = gradients(model, model(*batch()).logits.square().sum())
    unused = [name for name, p in model.named_parameters() if name not in grads or grads[name].eq(0).all()]
    # A bias on all keys shifts every score of a query alike, which a softmax does not see; and these sentences end
    # within the first span, where it has no slope.
    assert [name for name in unused if not name.endswith(("key_projection.bias", "span_logit"))] == []


@every_case
def test_forward_never_waits_for_a_number_from_the_device(name, place, variant, make):
    """Tensors on the meta device have no numbers: whoever asks for one fails."""
    with torch.device("meta"):
        output = make(name, place, variant)(*(each.to("meta") for each in batch()))
    assert output.logits.is_meta


def as_torch(model, norm_first):
    """torch.nn.Transformer with the weights of a model of multi_head attention."""
    other = nn.Transformer(
        16, 4, 2, 2, 12, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=torch.float64
    ).train()  # its fast path in eval mode is another code
    pairs = []
    for ours, theirs in zip(model.encoder.layers, other.encoder.layers, strict=True):
        pairs += [(ours.attention, theirs.self_attn), (ours.attention_norm, theirs.norm1)]
        pairs += [(ours.feedforward_norm, theirs.norm2), (ours.widen, theirs.linear1), (ours.narrow, theirs.linear2)]
    for ours, theirs in zip(model.decoder.layers, other.decoder.layers, strict=True):
        pairs += [(ours.self_attention, theirs.self_attn), (ours.cross_attention, theirs.multihead_attn)]
        pairs += [
            (ours.self_norm, theirs.norm1),
            (ours.cross_norm, theirs.norm2),
            (ours.feedforward_norm, theirs.norm3),
        ]
        pairs += [(ours.widen, theirs.linear1), (ours.narrow, theirs.linear2)]
    for ours, theirs in pairs:
        if isinstance(theirs, nn.MultiheadAttention):
            parts = [ours.query_projection, ours.key_projection, ours.value_projection]
            state = {"out_proj.weight": ours.output_projection.weight, "out_proj.bias": torch.zeros(16)}
            state |= {
                f"in_proj_{kind}": torch.cat([getattr(part, kind) for part in parts]) for kind in ("weight", "bias")
            }
            theirs.load_state_dict(state)
        else:
            theirs.load_state_dict(ours.state_dict())
    if not norm_first:  # torch normalizes once more at the end, whatever comes before
        other.encoder.norm = other.decoder.norm = None
    return other


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_layers_are_those_of_torch(norm, make):
    model = make("multi_head", norm=norm, num_encoder_layers=2, num_decoder_layers=2)
    for parameter in model.parameters():  # also those that start at 0 or 1
        nn.init.normal_(parameter, std=0.3)
    source, lengths, target = batch()
    other = as_torch(model, norm == "pre")
    if norm == "pre":
        other.encoder.norm.load_state_dict(model.encoder.final_norm.state_dict())
        other.decoder.norm.load_state_dict(model.decoder.final_norm.state_dict())
    embedded = model.source_position(4.0 * model.source_embedding.weight[source])
    written = model.target_position(4.0 * model.target_embedding.weight[target])
    padding = torch.arange(6) >= lengths.unsqueeze(1)
    ahead = torch.ones(5, 5, dtype=torch.bool).triu(1)
    states = other(embedded, written, tgt_mask=ahead, src_key_padding_mask=padding, memory_key_padding_mask=padding)
    torch.testing.assert_close(model(source, lengths, target).logits, model.output(states))


def test_weights_are_named_by_their_place_and_given_only_when_asked_for(make):
    model = make("multi_head", variant="three_layers")
    assert model(*batch()).weights == {}
    shapes = {name: tuple(each.shape) for name, each in model(*batch(), need_weights=True).weights.items()}
    assert shapes == {
        "encoder.layers.0": (4, 4, 6, 6),
        **{f"decoder.layers.{depth}.self": (4, 4, 5, 5) for depth in range(3)},
        **{f"decoder.layers.{depth}.cross": (4, 4, 5, 6) for depth in range(3)},
    }


def test_each_place_can_have_an_attention_of_its_own(make_attention):
    own = {place: make_attention(name) for place, name in zip(PLACES, ("local", "rotary", "additive"), strict=True)}
    model = build(make_attention("multi_head"), **own)
    layer = model.decoder.layers[0]
    assert type(model.encoder.layers[0].attention.pattern).__name__ == "LocalPattern"
    assert type(layer.self_attention.position).__name__ == "RotaryPosition"
    assert type(layer.cross_attention.score).__name__ == "AdditiveScore"
    assert model.notes == ()


def test_what_compares_positions_is_left_out_between_sequences_and_told(make):
    model = make("rotary")
    assert type(model.decoder.layers[0].self_attention.position).__name__ == "RotaryPosition"
    assert type(model.decoder.layers[0].cross_attention.position).__name__ == "NoPosition"
    (note,) = model.notes
    assert "cross-attention: NoPosition for RotaryPosition" in note
    assert make("multi_head").notes == ()


@pytest.mark.parametrize("name", SOMEWHERE)
def test_attention_that_cannot_serve_all_places_is_refused_with_the_way_out(name):
    reason = refusal(name)
    assert len(reason.splitlines()) == 1
    assert ": use " in reason
    assert "attention@model." in reason
    assert any(refusal(name, place) is None for place in PLACES)


@pytest.mark.parametrize("name", ["rotary", "causal", "adaptive_span"])
def test_cross_attention_of_its_own_is_taken_as_it_is_or_refused(name):
    assert "attention@model.cross_attention=multi_head" in refusal(name, "cross_attention")


def test_options_that_do_not_go_together_are_refused_by_name(make):
    with pytest.raises(ValueError, match="11 source and 12"):
        make("multi_head", tied_embeddings="all", source_vocab_size=11)
    with pytest.raises(ValueError, match="num_heads 3 does not divide"):
        make("scaled_dot", num_heads=3)


@pytest.mark.parametrize("tied", ["none", "decoder", "all"])
def test_tied_embeddings_share_exactly_the_tables_they_name(tied, make):
    model = make("multi_head", tied_embeddings=tied)
    assert (model.output.weight is model.target_embedding.weight) == (tied != "none")
    assert (model.source_embedding is model.target_embedding) == (tied == "all")


def test_dropout_acts_in_training_only(make):
    model = make("multi_head", dropout=0.5)
    assert_dropout_acts_in_training_only(model, batch())


@pytest.mark.parametrize("name", ["multi_head", "t5"])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_batch_is_decoded_as_each_sentence(name, beam_size, make):
    model = make(name).eval()
    for parameter in model.parameters():
        parameter.data *= 2  # far from flat, so that outputs differ
    source, lengths = torch.randint(4, 12, (5, 6)), torch.tensor([6, 3, 1, 0, 5])
    options = DecodingOptions(beam_size=beam_size, max_length=8)
    together = decode(model, source, lengths, options, need_weights=True)
    assert len({tuple(hypothesis.ids) for hypothesis in together}) > 1
    for row, (hypothesis, length) in enumerate(zip(together, lengths.tolist(), strict=True)):
        (alone,) = decode(model, source[row : row + 1, :length], lengths[row : row + 1], options, need_weights=True)
        assert hypothesis.ids == alone.ids
        assert hypothesis.score == pytest.approx(alone.score)
        torch.testing.assert_close(hypothesis.weights, alone.weights)
        assert hypothesis.weights.shape == (4, len(hypothesis.ids), length)


def test_learned_positions_bound_what_is_read_and_written(make):
    model = make("multi_head", position="learned", max_length=5)
    assert (model.max_input_length, model.max_output_length) == (5, 5)
    source, lengths, target = batch()
    with pytest.raises(DataError, match=r"6 positions is longer than model\.max_length=5"):
        model(source, lengths, target)
    assert model(source[:, :5], lengths.clamp(max=5), target).logits.isfinite().all()
    for beam_size, at_limit, longest in ((1, "end", 4), (3, "end", 4), (1, "cut", 5), (3, "cut", 5)):
        options = within_reach(DecodingOptions(beam_size=beam_size, at_limit=at_limit, min_length_ratio=9), model)
        found = decode(model.eval(), source[:, :5], lengths.clamp(max=5), options)
        assert {len(each.ids) for each in found if len(each.ids)} == {longest}


def test_a_model_of_one_position_writes_a_token_without_an_end(make):
    model, (source, _, _) = make("multi_head", position="learned", max_length=1).eval(), batch()
    options = within_reach(DecodingOptions(min_length_ratio=9), model)
    assert [len(each.ids) for each in decode(model, source[:, :1], torch.ones(4, dtype=torch.long), options)] == [1] * 4


def test_bfloat16_autocast_trains_and_agrees_with_float32(make):
    for name in ("multi_head", "rotary", "linear"):
        model = make(name).float()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(*batch()).logits
        torch.testing.assert_close(logits.float(), model(*batch()).logits, rtol=0.1, atol=0.1)
        assert all(g.isfinite().all() for g in gradients(model, logits.float().sum()).values())


@pytest.mark.slow
def test_sequences_are_learnt_to_be_reversed(make):
    torch.manual_seed(0)
    model = make("multi_head", embed_dim=32, feedforward_dim=64, source_vocab_size=8, target_vocab_size=8).float()
    assert loss_after_learning(model, lambda source: source.flip(1), lr=0.003) < 0.3


@pytest.mark.slow
def test_it_compiles_as_one_graph_for_any_lengths(make):
    model = make("multi_head")
    with torch.no_grad():
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)  # raises where the graph would break
        source, lengths, target = batch()
        for columns, steps in ((6, 5), (7, 3), (9, 4)):
            longer = torch.cat([source, source.new_zeros(4, columns - 6)], 1), lengths, target[:, :steps]
            torch.testing.assert_close(compiled(*longer).readout, model(*longer).readout)
