"""Which presets the encoder-decoder Transformer takes where: it is asked, so that no new preset is left out."""

import functools

import torch
from presets_support import PRESETS, composed

from attnfocus.config.targets import make_factory
from attnfocus.models import TransformerSeq2Seq

SIZES = {
    "source_vocab_size": 12,
    "target_vocab_size": 12,
    "embed_dim": 16,
    "feedforward_dim": 12,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "num_heads": 4,
    "dropout": 0.0,
}
PLACES = ("encoder_attention", "decoder_attention", "cross_attention")
VARIANTS = {
    "pre": {},
    "post_learned": {
        "norm": "post",
        "num_encoder_layers": 2,
        "position": "learned",
        "tied_embeddings": "all",
        "activation": "gelu",
    },
    "three_layers": {"num_decoder_layers": 3, "position": "none", "tied_embeddings": "none"},
}


@functools.cache
def factory(name):
    return make_factory(composed(f"attention={name}"))


@functools.cache
def refusal(name, place="attention"):
    """Why a preset is refused in a place, or in all of them; None where it is taken."""
    given = {"attention": factory("multi_head"), place: factory(name)}
    try:
        with torch.device("meta"):
            TransformerSeq2Seq(**given, **SIZES)
    except ValueError as error:
        return str(error)
    return None


EVERYWHERE = [name for name in PRESETS if refusal(name) is None]
SOMEWHERE = [name for name in PRESETS if refusal(name) is not None]
# Every preset in all places; those that serve single places there; and the other variants with one preset.
CASES = [
    *((name, "attention", "pre") for name in EVERYWHERE),
    *((name, place, "pre") for name in SOMEWHERE for place in PLACES if refusal(name, place) is None),
    *(("multi_head", "attention", variant) for variant in VARIANTS if variant != "pre"),
    ("coverage", "cross_attention", "three_layers"),
]
