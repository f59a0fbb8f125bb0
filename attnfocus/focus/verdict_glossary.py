"""What words of the verdict's sentences mean, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from attnfocus.focus.verdict import Verdict
from attnfocus.focus.verdict_words import LANGUAGES, Language

_TERMS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        "lead: the logit of the answer less the largest of another; lost and kept are shares of it, by the way to take "
        "positions away in which the weights do worst",
        "sure: the share of 1,000 resamples of the examples that give the same verdict",
    ),
    "zh": (
        "领先：答案的 logit 减去其他答案中最大的 logit；失去和保住的都是它的比例，取权重表现最差的那种去除方式",
        "把握：对样例重新抽样 1000 次，得到同样判断的比例",
    ),
}
_ANSWERS: Mapping[Language, tuple[str, str]] = {  # one of an example, and one of several
    "en": ("answer: what the model gives, right or wrong", "answer: one token that the model writes, right or wrong"),
    "zh": ("答案：模型给出的结果，无论对错", "答案：模型写出的一个词元，无论对错"),
}


def glossary(verdict: Verdict, *, is_of_tokens: bool) -> dict[str, tuple[str, ...]]:
    """Language -> what words of the sentences mean, a line each; nothing where there is no verdict.

    Args:
        is_of_tokens: an example has several answers, which are the tokens that are written.
    """
    if verdict.answer == "cannot_tell":
        return dict.fromkeys(LANGUAGES, ())
    return {each: (_ANSWERS[each][is_of_tokens], *_TERMS[each]) for each in LANGUAGES}
