"""BLEU, chrF and exact matches of texts, by sacrebleu."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from attnfocus.data.tokens.writing import Writing, is_chinese
from attnfocus.tasks.answers import Prediction

BleuTokenizer = Literal["13a", "intl", "zh", "char", "none"]  # those of sacrebleu that need no download
NGRAM = 4  # words in a row that BLEU counts

_OF_WRITING: Mapping[Writing, BleuTokenizer] = {"spaced": "13a", "chinese": "zh", "unspaced": "char"}


def bleu_tokenizer_for(writing: Writing | None, references: Iterable[str]) -> BleuTokenizer:
    """What splits texts into words for BLEU: `13a` would take a whole sentence for one word where there are no blanks.

    Args:
        writing: of the run's targets; None: of a run that has not noted it, which goes by the references at hand.
    """
    if writing is not None:
        return _OF_WRITING[writing]
    return "zh" if is_chinese(references) else "13a"


def text_metrics(
    predictions: Sequence[Prediction], tokenizer: BleuTokenizer
) -> tuple[dict[str, float], dict[str, object]]:
    """Metrics of the texts, and what says how they were computed: signatures, and the tokenizer of BLEU."""
    outputs = [prediction.text for prediction in predictions]
    references = [prediction.target for prediction in predictions]
    bleu, chrf = text_scorers(tokenizer).values()
    metrics = {
        # sacrebleu's rounding can exceed 100 in the last digit
        "bleu": min(100.0, bleu.corpus_score(outputs, [references]).score),
        "chrf": min(100.0, chrf.corpus_score(outputs, [references]).score),
        "exact_match": exact_match(outputs, references),
    }
    signatures = {"bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}
    return metrics, {**signatures, "bleu_tokenizer": tokenizer}


def text_scorers(tokenizer: BleuTokenizer) -> dict[str, Any]:
    """sacrebleu's metrics by the names of ours."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return {"bleu": BLEU(tokenize=tokenizer, force=True), "chrf": CHRF()}


def exact_match(outputs: Sequence[str], references: Sequence[str]) -> float:
    """The share of outputs that equal their reference, blanks at the ends apart."""
    return sum(o.strip() == r.strip() for o, r in zip(outputs, references, strict=True)) / len(outputs)


def has_ngrams(references: Iterable[str], tokenizer: BleuTokenizer) -> bool:
    """Whether any reference has as many words as BLEU counts in a row."""
    rest = []
    for reference in references:
        if len(reference.split()) >= NGRAM:  # no tokenizer makes fewer words
            return True
        rest.append(reference)
    split = text_scorers(tokenizer)["bleu"].tokenizer
    return any(len(split(reference.rstrip()).split()) >= NGRAM for reference in rest)


def no_ngrams_remark(monitor: str) -> str:
    """What is said where `has_ngrams` is False, of a run that monitors this metric."""
    monitored = "Use trainer.monitor=chrf or exact_match" if monitor == "bleu" else f"{monitor} decides what is best"
    return f"BLEU counts {NGRAM} words in a row, no reference has so many, and even right outputs get 0. {monitored}"


def perplexity(loss: float) -> float:
    """exp(loss), the loss in nats per token."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
