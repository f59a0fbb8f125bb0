"""BLEU, chrF and exact matches of texts, by sacrebleu."""

import re
from collections.abc import Sequence
from typing import Any

from attnfocus.tasks.answers import Prediction

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")


def text_metrics(predictions: list[Prediction]) -> tuple[dict[str, float], dict[str, object]]:
    """Metrics of the texts, and the signatures that say how they were computed."""
    outputs = [prediction.text for prediction in predictions]
    references = [prediction.target for prediction in predictions]
    bleu, chrf = text_scorers(references).values()
    metrics = {
        # sacrebleu's rounding can exceed 100 in the last digit
        "bleu": min(100.0, bleu.corpus_score(outputs, [references]).score),
        "chrf": min(100.0, chrf.corpus_score(outputs, [references]).score),
        "exact_match": sum(o.strip() == r.strip() for o, r in zip(outputs, references, strict=True)) / len(outputs),
    }
    return metrics, {"bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}


def text_scorers(references: Sequence[str]) -> dict[str, Any]:
    """sacrebleu's metrics, as they are set for these references."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return {"bleu": BLEU(tokenize=_bleu_tokenizer(references), force=True), "chrf": CHRF()}


def _bleu_tokenizer(references: Sequence[str]) -> str:
    """`zh` when most of the references' characters are Chinese: `13a` would take a whole sentence for one word."""
    num_characters = sum(len(word) for text in references for word in text.split())
    return "zh" if 2 * sum(len(_HAN.findall(text)) for text in references) > num_characters else "13a"
