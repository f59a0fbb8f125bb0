"""What people look for and what there is not: why, and what is nearest. Data alone, as in `habits`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Absence(NamedTuple):
    """A choice that there is not.

    Attributes:
        why: what it is, and what there is in its place.
        beside: group -> choice that what is typed instead needs, where none is typed.
        instead: the overrides that give what was meant; empty: the choice that is nearest.
        is_open: whether nobody can know what was meant, so that no line is proposed.
    """

    why: str
    beside: Mapping[str, str] = {}
    instead: Sequence[str] = ()
    is_open: bool = False


def _by_word(lines: Mapping[str, Absence]) -> dict[str, Absence]:
    return {word: absence for words, absence in lines.items() for word in words.split()}


def _on_hub(why: str, instead: Sequence[str], beside: Mapping[str, str] = {}) -> Absence:
    """A set that is not built in; `instead` begins with the kind of set and its name on the hub."""
    how = f"pip install 'attnfocus[hub]', then {' '.join(instead[:2])}"
    return Absence(f"is not built in, but on the Hugging Face hub: {how}. {why}", beside, instead)


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
                "there are no pretrained models. transformer is an encoder of this kind, trained from scratch on your "
                "data"
            ),
            "gpt gpt2 llama": Absence(
                "there are no language models here, which write on from a text. To classify texts: model=transformer. "
                "To translate, or to make any text from another: model=transformer_seq2seq",
                is_open=True,
            ),
            "t5 bart marian": Absence(
                "there are no pretrained models. transformer_seq2seq is a model of this kind, trained from scratch "
                "on your data"
            ),
        }
    ),
    "dataset": _by_word(
        {
            "imdb": _on_hub(
                "Built in, without it, are other film reviews: dataset=mr or dataset=sst2",
                (
                    "dataset=hub",
                    "dataset.path=stanfordnlp/imdb",
                    "dataset.test_split=test",
                    "dataset.text_column=text",
                    "dataset.label_column=label",
                ),
                {"model": "transformer"},
            ),
            "wmt wmt14": _on_hub(
                "It is German to English here, as is a smaller set that is built in: dataset=multi30k",
                (
                    "dataset=hub_pairs",
                    "dataset.path=wmt/wmt14",
                    "dataset.name=de-en",
                    "dataset.valid_split=validation",
                    "dataset.test_split=test",
                    "dataset.source_column=translation.de",
                    "dataset.target_column=translation.en",
                ),
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
OF_CELLS = {"rnn_classifier": "classify texts", "seq2seq": "translate"}  # model -> what for
