"""Which presets a decoder can use: each attention is asked for itself, so that no new one is left out."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from attnfocus.attention import BaseAttention
from attnfocus.config.targets import make_factory

CONFIGS = Path(__file__).parents[2] / "configs"
VARIANTS = {
    "luong": {},
    "luong_fed": {"input_feeding": True, "num_layers": 2, "tied_embeddings": "none"},
    "bahdanau": {"order": "attend_then_recur", "cell": "gru"},
    "bahdanau_deep": {"order": "attend_then_recur", "num_layers": 2, "tied_embeddings": "all"},
    "luong_gru": {"cell": "gru", "bidirectional": False, "num_layers": 2},
}
BOTH_ORDERS = ["luong", "bahdanau"]


def _attention(name: str) -> BaseAttention:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        node = OmegaConf.to_container(compose(overrides=[f"+attention={name}"]).attention, resolve=True)
    with torch.device("meta"):
        return make_factory(node)(query_dim=8, key_dim=8)


_ALL = {path.stem: _attention(path.stem) for path in sorted((CONFIGS / "attention").glob("*.yaml"))}
DECODING = [name for name, attention in _ALL.items() if not attention.same_sequence_only]
NOT_DECODING = [name for name, attention in _ALL.items() if attention.same_sequence_only]
FOLLOWING = [name for name, attention in _ALL.items() if attention.uses_history]
# Every attention in both orders; in every variant what depends on the steps before, and one that does not.
CASES = [
    (name, variant)
    for name in DECODING
    for variant in (VARIANTS if name in FOLLOWING or name == "additive" else BOTH_ORDERS)
]
