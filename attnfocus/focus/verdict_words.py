"""The verdict in three sentences, in English and Chinese: what it is, what may be said of the weights, what may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from attnfocus.focus.samples import ERASURES, RANKINGS
from attnfocus.focus.verdict import Verdict

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_LITTLE = 0.02  # of a lead, between the best ranking and chance: it says nothing of the weights
_HARDLY_CHANGED = 0.1  # of the answers, by shuffled weights: they do not hang on the weights


@dataclass(frozen=True)
class Facts:
    """What the sentences name: the attention, the split, how many examples, and `faithfulness/<measure>` -> number."""

    attention: str
    split: str
    num_examples: int
    metrics: Mapping[str, float]

    def number(self, name: str) -> float:
        return self.metrics.get(f"faithfulness/{name}", float("nan"))


_FIRST_EN = {
    "points": "the weights of {attention} point to what the answers rest on",
    "elsewhere": "the weights of {attention} do not point to what the answers rest on",
    "weak": "the weights of {attention} point to some of what the answers rest on; other positions matter more",
    "few_texts": "the weights of {attention} point to what matters, in the few inputs where anything does",
    "even": "the weights of {attention} are spread over most positions; no few of them stand out",
    "together": "what the weights of {attention} point to is needed, and does not make the answer without the rest",
    "repeated": "what the weights of {attention} point to is enough, and not needed: the rest says the same",
    "spread": "the weights of {attention} point to what matters most, and that is a small part: evidence is spread",
}
_FIRST_ZH = {
    "points": "{attention} 的权重指向了答案所依据的位置",
    "elsewhere": "{attention} 的权重没有指向答案所依据的位置",
    "weak": "{attention} 的权重只指向了答案依据的一部分，其他位置更重要",
    "few_texts": "{attention} 的权重指向了重要的位置，但只有少数输入里有起作用的位置",
    "even": "{attention} 的权重分散在大多数位置上，没有突出的少数位置",
    "together": "{attention} 的权重指向的位置是必需的，但没有其余位置就得不出答案",
    "repeated": "{attention} 的权重指向的位置已经足够，但并非必需：其余位置也给出同样的信息",
    "spread": "{attention} 的权重指向了最重要的位置，但那只是一小部分：依据分散在许多位置上",
}
_HEAD = {
    "en": {"yes": "Yes", "partly": "Partly", "no": "No", "cannot_tell": "Cannot tell"},
    "zh": {"yes": "可信", "partly": "部分可信", "no": "不可信", "cannot_tell": "无法判断"},
}
_NONE_EN = {
    "too_few": ("only {count} examples could be tested", "Give more examples."),
    "unlearned": (
        "the model has learned nothing yet: its answers are no better than chance (mean recall {mean_recall:.2f})",
        "Train it first.",
    ),
    "same_answer": ("the model gives every input the same answer", "Train it first."),
    "input_unused": (
        "the answers hardly depend on the input: {dependent:.0%} of them change without it",
        "Look for what else the model reads, or train it longer.",
    ),
    "no_ranking": (
        "no few positions decide: even the best known ones do no better than as many at random",
        "The answers rest on many positions together.",
    ),
}
_NONE_ZH = {
    "too_few": ("只有 {count} 个样例可以测试", "请提供更多样例。"),
    "unlearned": ("模型还没有学到东西：答案不比随机好（平均召回率 {mean_recall:.2f}）", "请先训练。"),
    "same_answer": ("模型对所有输入给出同一个答案", "请先训练。"),
    "input_unused": (
        "答案几乎不依赖输入：没有输入时只有 {dependent:.0%} 的答案改变",
        "请查看模型还读取了什么，或训练更久。",
    ),
    "no_ranking": ("没有少数几个位置起决定作用：已知最好的位置也不比随机位置好", "答案依据的是许多位置的整体。"),
}


def sentences(verdict: Verdict, facts: Facts, language: Language) -> tuple[str, ...]:
    """Three sentences: the verdict and how sure it is; what may be said of these weights; what may not."""
    return _IN[language](verdict, facts)


def _filled(text: str, facts: Facts) -> str:
    numbers = {name: facts.number(name) for name in ("mean_recall", "dependent")}
    return text.format(attention=facts.attention, count=facts.num_examples, **numbers)


def _share(confidence: float, over: str) -> str:
    """In percent; a thousand samples that all agree do not make it certain."""
    return f"{over}99%" if confidence > 0.99 else f"{confidence:.0%}"


def _english(verdict: Verdict, facts: Facts) -> tuple[str, ...]:
    head = _HEAD["en"][verdict.answer]
    if verdict.answer == "cannot_tell":
        why, advice = (_filled(text, facts) for text in _NONE_EN[verdict.reason])
        return (
            f"{head}: {why}.",
            "You may say where the weights lie.",
            f"You may not say anything about what they explain. {advice}",
        )
    sure, border = _share(verdict.confidence, "over "), ", near the border" if verdict.near_border else ""
    lost, random, left, left_random, best = _leads(facts)
    may = {
        "yes": "the positions of most weight matter",
        "partly": "the positions of most weight matter more than others, on average",
        "no": "where the model's weights lie",
    }[verdict.answer]
    return (
        f"{head} ({sure} sure{border}): {_filled(_FIRST_EN[verdict.reason], facts)}.",
        f"You may say {may}: without them an answer loses {lost} of its lead (as many at random: {random}, the best "
        f"known ones: {best}), and with them alone it keeps {left} (at random: {left_random}).",
        f"You may not say {_never_english(verdict, facts)}.",
    )


def _never_english(verdict: Verdict, facts: Facts) -> str:
    changed = facts.number("permuted_flips")
    if verdict.answer == "no":
        return "that a position matters because it has much weight"
    if changed != changed:
        return "that the answers are made by these weights: that was not tested, since they cannot be replaced"
    if changed < _HARDLY_CHANGED:
        return (
            f"that the answers are made by these weights: with shuffled weights {1 - changed:.0%} of them stay the "
            "same, since other states know what these positions say"
        )
    if verdict.answer == "partly":
        return "of a single answer that it rests on the positions of most weight; test that answer by leaving them out"
    return (
        f"that they are the only explanation, or that each single answer is explained: this is the mean of "
        f"{facts.num_examples} examples of {facts.split}"
    )


def _chinese(verdict: Verdict, facts: Facts) -> tuple[str, ...]:
    head = _HEAD["zh"][verdict.answer]
    if verdict.answer == "cannot_tell":
        why, advice = (_filled(text, facts) for text in _NONE_ZH[verdict.reason])
        return (f"{head}：{why}。", "可以说：权重落在哪里。", f"不可以说：权重解释了什么。{advice}")
    sure, border = _share(verdict.confidence, "超过 "), "，接近界限" if verdict.near_border else ""
    lost, random, left, left_random, best = _leads(facts)
    may = {
        "yes": "权重最大的位置是重要的",
        "partly": "平均而言，权重最大的位置比其他位置更重要",
        "no": "模型的权重落在哪里",
    }[verdict.answer]
    return (
        f"{head}（把握{sure}{border}）：{_filled(_FIRST_ZH[verdict.reason], facts)}。",
        f"可以说：{may}。去掉它们，答案失去 {lost} 的领先（同样多的随机位置：{random}，已知最好的位置：{best}）；"
        f"只留下它们，答案保住 {left} 的领先（随机位置保住 {left_random}）。",
        f"不可以说：{_never_chinese(verdict, facts)}。",
    )


def _never_chinese(verdict: Verdict, facts: Facts) -> str:
    changed = facts.number("permuted_flips")
    if verdict.answer == "no":
        return "某个位置因为权重大所以重要"
    if changed != changed:
        return "答案是由这些权重产生的：这些权重不能被替换，所以没有测试"
    if changed < _HARDLY_CHANGED:
        return f"答案是由这些权重产生的：打乱权重后 {1 - changed:.0%} 的答案不变，因为其他状态也知道这些位置的内容"
    if verdict.answer == "partly":
        return "某一个答案就是依据权重最大的位置；要知道这一点，请把这些位置去掉再试"
    return f"这是唯一的解释，或每个答案都得到了解释：这是 {facts.split} 中 {facts.num_examples} 个样例的平均"


def _leads(facts: Facts) -> tuple[str, str, str, str, str]:
    """Lead lost without the positions of most weight and as many at random, left with them alone and as many at random,
    lost without the best known ones: each in the erasure in which the weights do worst."""
    lost, lost_random, lost_best = _worst(facts, "lost")
    left, left_random, _ = _worst(facts, "left")
    return lost, lost_random, left, left_random, lost_best


def _worst(facts: Facts, effect: str) -> tuple[str, str, str]:
    """Of weights, random positions and the best ranking, where the weights are farthest from the best."""
    found = []
    for erasure in ERASURES:
        of = {ranking: facts.number(f"{effect}_{erasure}_{ranking}") for ranking in RANKINGS}
        weights, random = of["weights"], of.pop("random")
        best = max((value for value in of.values() if value == value), default=weights)
        skill = (weights - random) / (best - random) if best - random > _LITTLE else 1.0
        if weights == weights:
            found.append((skill, f"{weights:.2f}", f"{random:.2f}", f"{best:.2f}"))
    return min(found)[1:] if found else ("nan", "nan", "nan")


_IN: Mapping[Language, Callable[[Verdict, Facts], tuple[str, ...]]] = {"en": _english, "zh": _chinese}
