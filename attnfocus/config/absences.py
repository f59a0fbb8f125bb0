"""What people look for and what there is not: why, and what is nearest. Data alone, as in `habits`."""

from collections.abc import Mapping
from typing import NamedTuple


class Absence(NamedTuple):
    """A choice that there is not.

    Attributes:
        why: what it is, and what there is in its place.
        beside: group -> choice that the nearest choice needs, where none is typed.
    """

    why: str
    beside: Mapping[str, str] = {}


def _by_word(lines: Mapping[str, Absence]) -> dict[str, Absence]:
    return {word: absence for words, absence in lines.items() for word in words.split()}


_HUB = "It is on the Hugging Face hub:"

# Group -> word -> what is said of it. `{}` is the word.
ABSENCES: Mapping[str, Mapping[str, Absence]] = {
    "attention": _by_word(
        {
            "flash flash_attention flash_attn flashattention sdpa": Absence(
                "{} is a way to compute, not another attention. Such fast kernels are used where they can be "
                "(attention.path=auto, the default): multi_head and scaled_dot have them"
            ),
            "self self_attention": Absence(
                "self-attention is part of model=transformer and model=transformer_seq2seq, with attention=scaled_dot "
                "or multi_head",
                {"model": "transformer"},
            ),
        }
    ),
    "model": _by_word(
        {
            "bert roberta distilbert": Absence(
                "there are no pretrained models. transformer is an encoder of this kind, trained from the start"
            ),
            "gpt gpt2 llama": Absence(
                "there is no language model. transformer classifies texts, transformer_seq2seq translates"
            ),
            "t5 bart marian": Absence(
                "there are no pretrained models. transformer_seq2seq is a translator of this kind, trained "
                "from the start"
            ),
        }
    ),
    "dataset": _by_word(
        {
            "imdb": Absence(
                f"is not built in. {_HUB} model=transformer dataset=hub dataset.path=stanfordnlp/imdb "
                "dataset.text_column=text dataset.label_column=label (needs pip install "
                "'attnfocus[hub]'). Built in are other film "
                "reviews: mr and sst2"
            ),
            "wmt wmt14": Absence(
                f"is not built in. {_HUB} dataset=hub_pairs dataset.path=wmt/wmt14 dataset.name=de-en "
                "dataset.source_column=translation.de dataset.target_column=translation.en (needs pip install "
                "'attnfocus[hub]'). "
                "Built in, and small: multi30k"
            ),
        }
    ),
}
# Names that have no other name here; what `synonyms` gives for them is only the nearest.
NO_SYNONYMS: Mapping[str, frozenset[str]] = {
    "scheduler": frozenset(
        ["linear", "step", "exponential", "steplr", "onecycle", "one_cycle", "cosine_with_restarts"]
    ),
    "optimizer": frozenset(["lion", "lamb", "adamax", "nadam", "muon", "radam"]),
    "dataset": frozenset(["iwslt", "iwslt14", "iwslt2014", "flickr30k"]),
}
CELLS = {"lstm": "lstm", "bilstm": "lstm", "gru": "gru", "bigru": "gru"}  # word -> model.cell
OF_CELLS = {"rnn_classifier": "rnn_classifier classifies with it", "seq2seq": "seq2seq translates with it"}
