"""The measures of focus in words: what pages, charts and curves say of each. Formulas and sources: docs/focus.md."""

from __future__ import annotations

from typing import Literal, NamedTuple

Focus = Literal["more", "less", ""]


class MeasureWords(NamedTuple):
    """Attributes:
    name: as a title.
    higher: what a higher value says: more or less focused; empty: neither.
    en, zh: what it is, with its range.
    """

    name: str
    higher: Focus
    en: str
    zh: str


MEASURE_WORDS = {
    "effective_positions": MeasureWords(
        "effective positions",
        "less",
        "over how many positions the weight is spread, as if over so many that are all alike: 1 to all",
        "权重分散在多少个位置上，相当于平均分给这么多个位置：1 到全部",
    ),
    "positions": MeasureWords(
        "positions of the input", "", "how many positions there are to look at", "一共有多少个位置可看"
    ),
    "normalized_entropy": MeasureWords(
        "entropy, 1: uniform",
        "less",
        "entropy as a share of the largest there can be: 0 one position, 1 all alike",
        "熵占最大可能值的比例：0 只看一个位置，1 平均看所有位置",
    ),
    "top_mass": MeasureWords(
        "weight of the largest position",
        "more",
        "share of the weight on the position with most of it, 0 to 1",
        "权重最大的位置所占的比例，0 到 1",
    ),
    "first_mass": MeasureWords(
        "weight of the first position",
        "",
        "share on the first position, 0 to 1; a high one on every input is an attention sink",
        "第一个位置所占的比例，0 到 1；如果每个输入都高，就是注意力汇聚点",
    ),
    "last_mass": MeasureWords(
        "weight of the last position", "", "share on the last position, 0 to 1", "最后一个位置所占的比例，0 到 1"
    ),
    "special_mass": MeasureWords(
        "weight of special tokens",
        "",
        "share on tokens that are no words of the text, such as <cls> and <bos>, and on unknown words, 0 to 1",
        "不是文本词语的词元（如 <cls>、<bos>）和未知词所占的比例，0 到 1",
    ),
    "distance": MeasureWords(
        "mean distance in positions",
        "",
        "how far away it looks on average, in positions: 0 at itself",
        "平均看多远，以位置计：0 是自己",
    ),
    "coverage_deviation": MeasureWords(
        "uneven coverage of the input",
        "",
        "how far the weight that a position gets from all rows is from 1, on average: 0 each is read once",
        "每个位置从所有行得到的权重与 1 平均差多少：0 表示每个位置恰好读一次",
    ),
    "monotonicity": MeasureWords(
        "share of steps forward",
        "",
        "how seldom it goes back from one row to the next: 1 never, 0 always",
        "从一行到下一行很少往回看的程度：1 从不往回，0 总是往回",
    ),
    "diagonality": MeasureWords(
        "nearness to the diagonal",
        "",
        "how near it is to the diagonal, the first row on the first position and the last on the last: 1 is on it",
        "离对角线（首行看首位置，末行看末位置）有多近：1 即在对角线上",
    ),
    "head_disagreement": MeasureWords(
        "disagreement of the heads",
        "",
        "how differently the heads look: 0 alike, 1 at no position in common",
        "各个头看的位置有多不同：0 相同，1 没有共同位置",
    ),
    "peak_coverage": MeasureWords(
        "weight on one position from all rows",
        "",
        "share of the weight of all rows on one position: 1 if all look at the same",
        "所有行的权重落在同一个位置上的最大比例：1 表示所有行都看同一处",
    ),
    "total_weight": MeasureWords(
        "sum of a query's weights",
        "",
        "sum of a row's weights before they are divided by it; shown where it is not 1",
        "一行权重在归一化之前的总和；只在不等于 1 时显示",
    ),
    "max_logit": MeasureWords(
        "largest logit", "", "largest score before the normalizer, of all rows", "归一化之前的最大分数，取所有行"
    ),
    "measured_queries": MeasureWords(
        "queries measured of each input",
        "",
        "how many rows of each input stand for all, where inputs are long",
        "输入很长时，每个输入用多少行代表全部",
    ),
    "drift": MeasureWords(
        "change since the evaluation before",
        "",
        "how far the maps are from those of the evaluation before: 0 the same, 1 no position in common",
        "与上一次评估的注意力图相差多少：0 相同，1 没有共同位置",
    ),
}
