"""Which presets a decoder can use: each attention is asked for itself, so that no new one is left out."""

from pairs import Choice
from presets_support import attentions

VARIANTS = {
    "luong": {},
    "luong_fed": {"input_feeding": True, "num_layers": 2, "tied_embeddings": "none"},
    "bahdanau": {"order": "attend_then_recur", "cell": "gru"},
    "bahdanau_deep": {"order": "attend_then_recur", "num_layers": 2, "tied_embeddings": "all"},
    "luong_gru": {"cell": "gru", "bidirectional": False, "num_layers": 2},
}
BOTH_ORDERS = ["luong", "bahdanau"]

DECODING = [name for name, attention in attentions().items() if not attention.same_sequence_only]
NOT_DECODING = [name for name, attention in attentions().items() if attention.same_sequence_only]
FOLLOWING = [name for name, attention in attentions().items() if attention.uses_history]
# Every attention in both orders; in every variant what depends on the steps before, and one that does not.
CASES = [
    (name, variant)
    for name in DECODING
    for variant in (VARIANTS if name in FOLLOWING or name == "additive" else BOTH_ORDERS)
]


def are_cases(first: Choice, second: Choice) -> bool:
    """For `parametrize_pairs` over `name`, `variant`, and whatever else."""
    given = dict((first, second))
    return not {"name", "variant"} <= set(given) or (given["name"], given["variant"]) in CASES
