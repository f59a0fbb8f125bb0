"""The verdict in three sentences, in English and Chinese: what it is, what may be said of the weights, what may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from attnfocus.focus.samples import ERASURES, RANKINGS
from attnfocus.focus.verdict import ANSWERS, Answer, Verdict

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_LITTLE = 0.02  # of a lead, between the best ranking and chance: it says nothing of the weights
_SHUFFLED = "permuted_flips"
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


class _Words(NamedTuple):
    """The sentences of one language, whose names in braces are filled in.

    Attributes:
        heads: answer -> how it begins.
        firsts: reason -> what the weights point to.
        nothings: reason of no verdict -> why, and what to do.
        of_nothing, of_leads: the three sentences without a verdict, and with one.
        over: before 99 %.
        border: the first sentence where the confidence is too small: both answers.
        may: answer -> what may be said.
        them: answer -> what the positions are called then.
        leads: of the ways in which a ranking can be told from chance, what they say.
        never: what may not be said, by `_never`.
    """

    heads: Mapping[str, str]
    firsts: Mapping[str, str]
    nothings: Mapping[str, tuple[str, str]]
    of_nothing: tuple[str, ...]
    over: str
    border: str
    may: Mapping[str, str]
    them: Mapping[str, str]
    leads: Mapping[tuple[str, ...], str]
    of_leads: tuple[str, ...]
    never: Mapping[str, str]


_ENGLISH = _Words(
    heads={"yes": "Yes", "partly": "Partly", "no": "No", "cannot_tell": "Cannot tell"},
    firsts={
        "points": "the attention weights ({attention}) point to what the answers rest on",
        "elsewhere": "the attention weights ({attention}) do not point to what the answers rest on",
        "weak": "the attention weights ({attention}) point to some of what the answers rest on; other positions matter "
        "more",
        "few_texts": "only {dependent:.0%} of the answers depend on the input; there the attention weights "
        "({attention}) point to what matters",
        "even": "the attention weights ({attention}) are spread over most positions; none stands out",
        "together": "what the attention weights ({attention}) point to is needed, but not enough without the rest",
        "repeated": "what the attention weights ({attention}) point to is enough, but not needed: the rest says the "
        "same",
        "spread": "the attention weights ({attention}) point to what matters most, but that is a small part: evidence "
        "is spread over many positions",
    },
    nothings={
        "too_few": ("only {count} examples could be tested", "Give more examples."),
        "unlearned": (
            "the model has learned nothing yet, its answers are no better than chance (mean recall {mean_recall:.2f})",
            "Train it first.",
        ),
        "unrelated": (
            "the model has learned nothing yet, its answers have {right_tokens:.0%} of the tokens of the right answers "
            "and no fewer ({right_tokens_others:.0%}) of those of the right answers to other inputs",
            "Train it first.",
        ),
        "same_answer": ("the model gives every input the same answer", "Train it first."),
        "input_unused": (
            "the answers hardly depend on the input, {dependent:.0%} of them change without it",
            "Look for what else the model reads, or train it longer.",
        ),
        "no_ranking": (
            "no few positions decide, even the best known ones do no better than as many at random",
            "The answers rest on many positions together.",
        ),
    },
    of_nothing=(
        "{head}: {why}.",
        "You may say where the weights lie.",
        "You may not say anything about what they explain. {advice}",
    ),
    over="over ",
    border="{head} or {second}, near the border ({confidence:.0%} sure of the first): {first}.",
    may={
        "yes": "that the positions of most weight matter",
        "partly": "that, on average, the positions of most weight matter more than others",
        "no": "where the model looks, and no more",
    },
    them={"yes": "them", "partly": "them", "no": "the positions of most weight"},
    leads={
        ("lost",): "without {them} an answer loses {lost} of its lead (as many at random: {lost_random}, best known: "
        "{lost_best})",
        (
            "left",
        ): "with {them} alone an answer keeps {left} of its lead (as many at random: {left_random}, best known: "
        "{left_best})",
        ("lost", "left"): "without {them} an answer loses {lost} of its lead (as many at random: {lost_random}, best "
        "known: {lost_best}), and with them alone it keeps {left} (at random: {left_random}, best known: {left_best})",
    },
    of_leads=(
        "{head} ({sure} sure): {first}.",
        "You may say {may}: {leads}.",
        "You may not say {never}.",
    ),
    never={
        "no": "that a position matters because it has much weight",
        "untested": "that the answers are made by these weights: that was not tested, since they cannot be replaced",
        "same": "that the answers are made by these weights: with shuffled weights {same:.0%} of them stay the same",
        "partly": "of a single answer that it rests on the positions of most weight; test that answer by leaving "
        "them out",
        "yes": "that these weights are the only explanation (with shuffled weights {same:.0%} of the answers stay the "
        "same), or that each single answer is explained: this is the mean of {count} examples of {split}",
    },
)
_CHINESE = _Words(
    heads={"yes": "可信", "partly": "部分可信", "no": "不可信", "cannot_tell": "无法判断"},
    firsts={
        "points": "注意力权重（{attention}）指向了答案所依据的位置",
        "elsewhere": "注意力权重（{attention}）没有指向答案所依据的位置",
        "weak": "注意力权重（{attention}）只指向了答案依据的一部分，其他位置更重要",
        "few_texts": "只有 {dependent:.0%} 的答案依赖输入；在这些答案上，注意力权重（{attention}）指向了重要的位置",
        "even": "注意力权重（{attention}）分散在大多数位置上，没有哪个位置突出",
        "together": "注意力权重（{attention}）指向的位置是必需的，但没有其余位置就不够",
        "repeated": "注意力权重（{attention}）指向的位置已经足够，但并非必需：其余位置也给出同样的信息",
        "spread": "注意力权重（{attention}）指向了最重要的位置，但那只是一小部分：依据分散在许多位置上",
    },
    nothings={
        "too_few": ("只有 {count} 个样例可以测试", "请提供更多样例。"),
        "unlearned": ("模型还没有学到东西，答案不比随机猜测好（平均召回率 {mean_recall:.2f}）", "请先训练。"),
        "unrelated": (
            "模型还没有学到东西，它的答案含有正确答案中 {right_tokens:.0%} 的词元，"
            "而含有其他输入的正确答案中的词元并不更少（{right_tokens_others:.0%}）",
            "请先训练。",
        ),
        "same_answer": ("模型对所有输入给出同一个答案", "请先训练。"),
        "input_unused": (
            "答案几乎不依赖输入，没有输入时只有 {dependent:.0%} 的答案改变",
            "请查看模型还读取了什么，或训练更久。",
        ),
        "no_ranking": ("没有少数几个位置起决定作用，已知最好的位置也不比随机位置好", "答案依据的是许多位置的整体。"),
    },
    of_nothing=("{head}：{why}。", "可以说：权重落在哪里。", "不可以说：权重解释了什么。{advice}"),
    over="超过 ",
    border="{head}或{second}，接近界限（对前者的把握 {confidence:.0%}）：{first}。",
    may={
        "yes": "权重最大的位置是重要的",
        "partly": "平均而言，权重最大的位置比其他位置更重要",
        "no": "模型在看哪里，仅此而已",
    },
    them={"yes": "它们", "partly": "它们", "no": "权重最大的位置"},
    leads={
        ("lost",): "去掉{them}，答案失去 {lost} 的领先（同样多的随机位置：{lost_random}，已知最好的位置：{lost_best}）",
        (
            "left",
        ): "只留下{them}，答案保住 {left} 的领先（同样多的随机位置：{left_random}，已知最好的位置：{left_best}）",
        ("lost", "left"): "去掉{them}，答案失去 {lost} 的领先（同样多的随机位置：{lost_random}，"
        "已知最好的位置：{lost_best}）；只留下它们，答案保住 {left} 的领先（随机位置：{left_random}，"
        "已知最好的位置：{left_best}）",
    },
    of_leads=(
        "{head}（把握{sure}）：{first}。",
        "可以说：{may}。{leads}。",
        "不可以说：{never}。",
    ),
    never={
        "no": "某个位置因为权重大所以重要",
        "untested": "答案是由这些权重产生的：这些权重不能被替换，所以没有测试",
        "same": "答案是由这些权重产生的：打乱权重后，{same:.0%} 的答案不变",
        "partly": "某一个答案依据的就是权重最大的位置；要知道这一点，请去掉这些位置再试",
        "yes": "这些权重是唯一的解释（打乱权重后，{same:.0%} 的答案不变），或每个答案都得到了解释："
        "这是 {split} 中 {count} 个样例的平均",
    },
)

_IN: Mapping[Language, _Words] = {"en": _ENGLISH, "zh": _CHINESE}


def sentences(verdict: Verdict, facts: Facts, language: Language) -> tuple[str, ...]:
    """Three sentences: the verdict and how sure it is; what may be said of these weights; what may not."""
    words, named = _IN[language], _named(facts)
    named["head"] = words.heads[verdict.answer]
    if verdict.answer == "cannot_tell":
        named["why"], named["advice"] = (text.format(**named) for text in words.nothings[verdict.reason])
        return tuple(text.format(**named) for text in words.of_nothing)
    allowed = _allowed(verdict)
    named |= {
        "sure": _share(verdict.confidence, words.over),
        "confidence": verdict.confidence,
        "second": words.heads[verdict.second or verdict.answer].lower(),
        "first": words.firsts[verdict.reason].format(**named),
        "may": words.may[allowed],
        "never": words.never[_never(allowed, facts)].format(**named),
    }
    named["leads"] = words.leads[_ways(facts)].format(them=words.them[allowed], **_leads(facts))
    first, *others = words.of_leads
    return tuple(text.format(**named) for text in (words.border if verdict.near_border else first, *others))


def _allowed(verdict: Verdict) -> Answer:
    """The answer that decides what may be said: near the border that of the two which allows less."""
    if not verdict.near_border or verdict.second is None:
        return verdict.answer
    return max(verdict.answer, verdict.second, key=ANSWERS.index)


def _named(facts: Facts) -> dict[str, Any]:
    """What every sentence may name."""
    names = ("mean_recall", "right_tokens", "right_tokens_others", "dependent")
    numbers = {name: facts.number(name) for name in names}
    same = 1 - facts.number(_SHUFFLED)
    return {"attention": facts.attention, "split": facts.split, "count": facts.num_examples, "same": same, **numbers}


def _share(confidence: float, over: str) -> str:
    """In percent; a thousand samples that all agree do not make it certain."""
    return f"{over}99%" if confidence > 0.99 else f"{confidence:.0%}"


def _never(allowed: Answer, facts: Facts) -> str:
    """Which of `_Words.never` holds."""
    changed = facts.number(_SHUFFLED)
    if allowed == "no":
        return "no"
    if changed != changed:
        return "untested"
    return "same" if changed < _HARDLY_CHANGED else allowed


def _ways(facts: Facts) -> tuple[str, ...]:
    """Which effects say something: those of ways in which some ranking does better than chance; both if none does."""
    skills = {"lost": facts.number("skill_removed"), "left": facts.number("skill_kept")}
    return tuple(effect for effect, skill in skills.items() if skill == skill) or tuple(skills)


def _leads(facts: Facts) -> dict[str, str]:
    """Lead lost without the positions of most weight, as many at random and the best known ones, and left with nothing
    but these: each in the erasure in which the weights do worst."""
    lost, lost_random, lost_best = _worst(facts, "lost")
    left, left_random, left_best = _worst(facts, "left")
    return {
        "lost": lost,
        "lost_random": lost_random,
        "lost_best": lost_best,
        "left": left,
        "left_random": left_random,
        "left_best": left_best,
    }


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
