"""What holds on every device and precision, for every model."""

import pytest
import torch
from attention_kinds import taken_by, together
from pairs import parametrize_pairs

from attnfocus.models import PoolingClassifier, RNNClassifier, Seq2Seq, TransformerClassifier
from attnfocus.training.device import cpu_lstms_take

MODELS = {
    "luong": (Seq2Seq, {}),
    "luong_fed": (Seq2Seq, {"input_feeding": True, "cell": "gru"}),
    "bahdanau": (Seq2Seq, {"order": "attend_then_recur", "num_layers": 2}),
    "transformer": (TransformerClassifier, {"pooling": "attention"}),
    "transformer_cls": (TransformerClassifier, {"pooling": "cls", "position": "learned"}),
    "rnn": (RNNClassifier, {"num_layers": 2}),
    "pooling": (PoolingClassifier, {}),
}


def build(kind, attention):
    torch.manual_seed(0)
    model, options = MODELS[kind]
    sizes = (
        {"source_vocab_size": 9, "target_vocab_size": 9} if model is Seq2Seq else {"num_classes": 3, "vocab_size": 9}
    )
    return model(attention=attention, embed_dim=8, **sizes, **options)


def batch(kind, device="cpu"):
    inputs, lengths = torch.randint(4, 9, (3, 5), device=device), torch.tensor([5, 2, 0], device=device)
    target = (torch.randint(4, 9, (3, 4), device=device),) if MODELS[kind][0] is Seq2Seq else ()
    return inputs, lengths, *target


@parametrize_pairs({"kind": list(MODELS), "preset": taken_by(MODELS), "need_weights": [False, True]}, together)
def test_forward_never_waits_for_a_number_from_the_device(preset, kind, need_weights, make_attention):
    """Tensors on the meta device have no numbers: whoever asks for one fails."""
    with torch.device("meta"):
        model = build(kind, make_attention(preset))
        output = model(*batch(kind, "meta"), need_weights=need_weights)
    assert output.logits.is_meta


@pytest.mark.parametrize("kind", MODELS)
def test_bfloat16_autocast_trains_and_agrees_with_float32(preset, kind, make_attention):
    if kind in ("luong", "bahdanau", "rnn") and not cpu_lstms_take(torch.bfloat16):
        pytest.skip("LSTMs do not compute in bfloat16 on this CPU")
    model = build(kind, make_attention(preset)).eval()
    given = batch(kind)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(*given, need_weights=True)
    torch.testing.assert_close(output.logits.float(), model(*given).logits, rtol=0.1, atol=0.1)
    output.logits.float().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
