"""The numbers of a test of weights: their values and intervals, and what each means in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from attnfocus.focus.samples import ERASURES, RANKINGS, WAYS, Floats, means
from attnfocus.focus.verdict import INTERVAL, Estimates

PREFIX = "faithfulness/"
Better = Literal["higher", "lower", ""]


class Measure(NamedTuple):
    """`better`: which way speaks for the weights; empty: neither. `words`, `words_zh`: what it is."""

    better: Better
    words: str
    words_zh: str


class Group(NamedTuple):
    """`way`: of `focus.samples.WAYS`, where the measures are effects of it."""

    title: str
    title_zh: str
    measures: Mapping[str, Measure]
    way: str | None = None


_DECIDES = {
    "skill": Measure(
        "higher",
        "gain over random positions, as a share of the gain of the best known positions",
        "比随机位置多出的效果，占已知最好位置多出的效果的比例",
    ),
    "skill_removed": Measure("higher", "... where positions are removed", "……去掉位置时"),
    "skill_kept": Measure("higher", "... where they are kept alone", "……只留下位置时"),
    "gain": Measure(
        "higher",
        "gain over random positions, as a share of what having no input changes",
        "比随机位置多出的效果，占没有任何输入时的变化的比例",
    ),
    "gain_removed": Measure("higher", "... where positions are removed", "……去掉位置时"),
    "gain_kept": Measure("higher", "... where they are kept alone", "……只留下位置时"),
    "gain_heaviest": Measure(
        "higher",
        "... of the positions with half of the weight, in the better way",
        "……只算占一半权重的位置，取较好的一种问法",
    ),
    "changed_removed_weights": Measure(
        "higher", "answers that change without the positions, masked", "遮住这些位置后改变的答案"
    ),
    "changed_removed_random": Measure("", "... as many at random", "……同样多的随机位置"),
    "changed_kept_weights": Measure(
        "lower", "answers that change with the positions alone, the rest masked", "只留下这些位置、遮住其余后改变的答案"
    ),
    "changed_kept_random": Measure("", "... as many at random", "……同样多的随机位置"),
    "reach": Measure(
        "",
        "lead lost without any input: what there is to lose, in the way of the three that takes least",
        "没有任何输入时失去的领先，即最多能失去多少；取三种方式中最小的",
    ),
    "dependent": Measure("", "share of answers that change without any input", "没有任何输入时改变的答案的比例"),
    "half_weight": Measure(
        "lower",
        "positions that hold half of the weight: 0 one of them, 0.5 all are alike",
        "占一半权重的位置：0 只有一个，0.5 所有位置一样",
    ),
    "mean_recall": Measure("", "right answers, mean over the classes", "答对的比例，各类的平均"),
    "right_tokens": Measure(
        "", "tokens of the right answers that the model's answers have", "正确答案的词元中，模型的答案含有的比例"
    ),
    "right_tokens_others": Measure(
        "", "... of the right answers of other inputs: what chance gives", "……其他输入的正确答案的词元，即随机时的水平"
    ),
}
OF_RANKINGS = {
    "weights": "most weight",
    "leave_one_out": "most effect when left out one by one",
    "integrated_gradients": "largest integrated gradients",
    "random": "at random",
}
_RANKINGS_ZH = {
    "weights": "权重最大",
    "leave_one_out": "逐一去除时影响最大",
    "integrated_gradients": "积分梯度最大",
    "random": "随机",
}
OF_ERASURES = {
    "cut": "cut out of the input",
    "masked": "a mean vector in their place",
    "swapped": "another text's in their place",
}
_ERASURES_ZH = {"cut": "从输入中删去", "masked": "用平均向量代替", "swapped": "换成另一个文本的内容"}
_SHUFFLED = {
    "permuted_flips": Measure(
        "", "answers that change when each query's weights are shuffled", "打乱每个查询的权重后改变的答案"
    ),
    "permuted_change": Measure("", "... total variation distance of the outputs, 0 to 1", "……输出的总变差距离，0 到 1"),
    "uniform_flips": Measure("", "answers that change with the same weight everywhere", "所有权重相同时改变的答案"),
    "uniform_change": Measure("", "... total variation distance", "……总变差距离"),
    "random_flips": Measure("", "answers that change with any weights", "换成任意权重时改变的答案"),
    "random_change": Measure("", "... total variation distance", "……总变差距离"),
    "adversarial_distance": Measure(
        "",
        "how far other weights may be that leave an output as it is, 0 to 0.69",
        "输出不变时，其他权重可以相差多远，0 到 0.69",
    ),
    "random_distance": Measure("", "how far any weights are, whatever they do", "任意权重相差多远，不管输出怎样"),
}
_PUBLISHED = {
    "comprehensiveness": Measure(
        "higher",
        "probability lost without the positions of most weight (ERASER)",
        "去掉权重最大的位置后失去的概率（ERASER）",
    ),
    "comprehensiveness_gradient": Measure("", "... of the largest gradient x input", "……梯度×输入最大的位置"),
    "comprehensiveness_random": Measure("", "... at random", "……随机位置"),
    "sufficiency": Measure(
        "lower",
        "probability lost with the positions of most weight alone (ERASER)",
        "只留下权重最大的位置时失去的概率（ERASER）",
    ),
    "sufficiency_gradient": Measure("", "... of the largest gradient x input", "……梯度×输入最大的位置"),
    "sufficiency_random": Measure("", "... at random", "……随机位置"),
    "agreement_gradient": Measure("", "Kendall's tau of weights and gradient x input", "权重与梯度×输入的 Kendall tau"),
    "agreement_leave_one_out": Measure("", "... and leave-one-out", "……与逐一去除"),
    "agreement_random": Measure("", "... and random numbers", "……与随机数"),
}
_EVIDENCE = {
    f"evidence_{measure}_{name}": Measure(
        "higher" if name == "attention" else "", f"{words} ({name})", f"{words_zh}（{name_zh}）"
    )
    for measure, words, words_zh in (
        ("pointing_game", "how often the first position is known evidence", "排第一的位置是已知证据的比例"),
        ("mass_inside", "share that lies on known evidence", "落在已知证据上的比例"),
    )
    for name, name_zh in (("attention", "注意力"), ("gradient", "梯度"), ("random", "随机"))
}


def name_of_effect(erasure: str, way: str, ranking: str) -> str:
    """Lead lost by removing, or left by keeping alone, the positions that a ranking puts first."""
    return f"{'lost' if way == 'removed' else 'left'}_{erasure}_{ranking}"


def _effects(way: str) -> dict[str, Measure]:
    return {
        name_of_effect(erasure, way, ranking): Measure(
            "higher" if ranking == "weights" else "",
            f"{OF_RANKINGS[ranking]}; {OF_ERASURES[erasure]}",
            f"{_RANKINGS_ZH[ranking]}；{_ERASURES_ZH[erasure]}",
        )
        for erasure in ERASURES
        for ranking in RANKINGS
    }


GROUPS = (
    Group("The verdict rests on", "判断依据", _DECIDES),
    Group(
        "Lead that an answer loses without positions of", "去掉这些位置时答案失去的领先", _effects("removed"), "removed"
    ),
    Group(
        "Lead that an answer keeps with nothing but positions of",
        "只留下这些位置时答案保住的领先",
        _effects("kept"),
        "kept",
    ),
    Group("Other weights in the place of these", "换成其他权重", _SHUFFLED),
    Group("Against known evidence", "与已知证据比较", _EVIDENCE),
    Group("Measures of papers, by the model's own probabilities", "论文中的指标，用模型自己的概率", _PUBLISHED),
)


def estimated(of: Estimates) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """What the verdict rests on: `faithfulness/<measure>` -> value, and -> the ends of its interval."""
    metrics, intervals = {}, {}
    if not len(of.samples):
        return {}, {}
    for name, values in _columns(of):
        known = values[1:][np.isfinite(values[1:])]
        if np.isfinite(values[0]) and len(known):
            metrics[PREFIX + name] = float(values[0])
            low, high = np.percentile(known, INTERVAL)
            intervals[PREFIX + name] = (float(low), float(high))
    return metrics, intervals


def _columns(of: Estimates) -> Iterator[tuple[str, Floats]]:
    for name, both in (("skill", of.skills), ("gain", of.gains)):
        yield name, getattr(of, name)
        for number, way in enumerate(WAYS):
            yield f"{name}_{way}", both[:, number]
    yield "gain_heaviest", of.heaviest
    yield "reach", np.where(of.is_used, of.reach, np.inf).min(axis=1) if of.is_used.any() else of.reach.max(axis=1)
    yield "dependent", of.dependent
    yield "half_weight", of.half
    if of.recall is not None:
        yield "mean_recall", of.recall
    yield "right_tokens", of.right[:, 0]
    yield "right_tokens_others", of.right[:, 1]
    changed = means(of.draws, of.samples.changed).mean(axis=-1)
    masked = ERASURES.index("masked")
    for number, way in enumerate(WAYS):
        for place, erasure in enumerate(ERASURES):
            for column, ranking in enumerate(RANKINGS):
                yield name_of_effect(erasure, way, ranking), of.effects[:, place, number, column]
        for ranking in ("weights", "random"):
            yield f"changed_{way}_{ranking}", changed[:, masked, number, RANKINGS.index(ranking)]


def grouped(metrics: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """For people and JSON: title -> measures with their values, intervals, directions and words."""
    found = []
    for title, title_zh, measures, way in GROUPS:
        known = [
            {
                "name": name,
                "value": metrics[PREFIX + name],
                "interval": intervals.get(PREFIX + name),
                "better": measure.better,
                "words": measure.words,
                "words_zh": measure.words_zh,
            }
            for name, measure in measures.items()
            if PREFIX + name in metrics
        ]
        if known:
            found.append({"title": title, "title_zh": title_zh, "way": way, "measures": known})
    return found
