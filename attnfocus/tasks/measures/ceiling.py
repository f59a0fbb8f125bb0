"""What a tokenizer cannot give back of the references, and what metrics a model can have at most because of that."""

from collections.abc import Sequence

from attnfocus.data.tokens.tokenizer import Tokenizer
from attnfocus.special import UNK
from attnfocus.tasks.measures.text import BleuTokenizer, exact_match, text_scorers

MAX_REFERENCES, MAX_CHARACTERS = 1000, 200_000  # about as much is looked at, evenly from all


def ceiling(
    references: Sequence[str], tokenizer: Tokenizer, bleu_tokenizer: BleuTokenizer, *, replaces_unknown: bool
) -> str | None:
    """A line on what outputs can be at best, which are the references, encoded and decoded; None: just right.

    Args:
        replaces_unknown: unknown words count as right, since they are copied from the input.
    """
    size = sum(map(len, references))
    sample = references[:: max(1, -(-len(references) // MAX_REFERENCES), -(-size // MAX_CHARACTERS))]
    encoded = tokenizer.encode_batch(sample)
    best = [tokenizer.decode(ids) for ids in encoded]
    if best == list(sample):
        return None
    with_unknown = [_with_unknown(tokenizer, *pair) for pair in zip(sample, encoded, strict=True)]
    if replaces_unknown:
        best = with_unknown
    bleu = min(100.0, text_scorers(bleu_tokenizer)["bleu"].corpus_score(best, [sample]).score)
    exact = exact_match(best, sample)
    if round(bleu, 1) == 100 and round(exact, 3) == 1:
        return None
    lost = []
    cased = [text.lower() for text in sample] if tokenizer.lowercase else list(sample)
    if cased != list(sample):
        lost.append("capitals (dataset.tokenizer.lowercase=true)")
    num_unknown = sum(ids.count(UNK) for ids in encoded)
    if num_unknown and not replaces_unknown:
        share = 100 * num_unknown / sum(map(len, encoded))
        lost.append(f"unknown tokens ({share:.2g} %; dataset.tokenizer.kind=bpe has hardly any)")
    if with_unknown != cased:
        lost.append(_lost_blanks(tokenizer))
    return (
        f"BLEU at most {bleu:.1f}, exact match at most {exact:.3f}: "
        f"of {len(sample):,} reference{'' if len(sample) == 1 else 's'} the tokenizer loses {', '.join(lost)}"
    )


def _with_unknown(tokenizer: Tokenizer, text: str, ids: Sequence[int]) -> str:
    """The text decoded with its own words in the place of unknown ones."""
    if UNK not in ids or tokenizer.kind == "torchtext":  # which does not say where a word stands
        return tokenizer.decode(ids)
    spans = tokenizer.character_spans(text)
    words = [text[slice(*span)] for id, span in zip(ids, spans, strict=True) if id == UNK]
    return tokenizer.decode(ids, [word.lower() for word in words] if tokenizer.lowercase else words)


def _lost_blanks(tokenizer: Tokenizer) -> str:
    if tokenizer.kind == "torchtext":
        return "spaces, which torchtext's words do not keep (dataset.tokenizer.kind=word does)"
    return "blanks other than single spaces"
