"""What the vocabulary does not know, as it is written."""

from collections import Counter

from attnfocus.data.preparation import Prepared
from attnfocus.special import UNK

MAX_ROWS = 2_000  # of a split that are looked at
MAX_SHOWN = 10


def frequent_unknown(prepared: Prepared) -> dict[str, list[tuple[str, int]]]:
    """Side -> the pieces of valid that are most often unknown, and how often; of train where there is no valid.

    Empty for sides without a vocabulary, and for tokenizers that do not tell which characters a token covers.
    """
    split = "valid" if "valid" in prepared.splits else "train"
    rows = prepared.splits[split].rows[:MAX_ROWS]
    found: dict[str, list[tuple[str, int]]] = {}
    for side, tokenizer in prepared.codec.tokenizers().items():
        if tokenizer.kind == "torchtext":
            continue
        counts: Counter[str] = Counter()
        for text in (row.input if side == "source" else row.target for row in rows):
            if isinstance(text, str):
                ids, spans = tokenizer.encode(text), tokenizer.character_spans(text)
                pieces = [text[slice(*span)] for number, span in zip(ids, spans, strict=True) if number == UNK]
                counts.update(piece.lower() for piece in pieces) if tokenizer.lowercase else counts.update(pieces)
        found[side] = counts.most_common(MAX_SHOWN)
    return found
