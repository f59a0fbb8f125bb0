"""Verdicts against truth: the confusion, its bounds, what changes it, and how far confidence can be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from scipy.stats import beta

from attnfocus.focus.verdict import ANSWERS
from calibration.verdicts import OWN

TRUTHS = ("right", "wrong", "unclear")
LEVEL = 0.95  # of the bounds
CONFIDENCES = (0.0, 0.6, 0.8, 0.9, 0.95, 1.0)  # ends of the groups of reliability
Record = Mapping[str, Any]  # of one run: spec, truth, verdicts, methods, is_fit


@dataclass(frozen=True)
class Count:
    """k of n."""

    k: int
    n: int

    @property
    def share(self) -> float:
        return self.k / self.n if self.n else 0.0

    @property
    def bound(self) -> float:
        """The upper bound of the share that is exceeded in 5 of 100 samples (Clopper and Pearson 1934)."""
        return 1.0 if self.k >= self.n else float(beta.ppf(LEVEL, self.k + 1, self.n - self.k))

    def facts(self) -> dict[str, float]:
        return {"count": self.k, "of": self.n, "share": round(self.share, 4), "upper_bound": round(self.bound, 4)}


def answer_of(record: Record, variant: str = OWN) -> str:
    return str(record["verdicts"][variant]["answer"])


def is_clear(record: Record) -> bool:
    return record["truth"]["answer"] != "unclear"


def confusion(records: Iterable[Record]) -> dict[str, dict[str, int]]:
    """Truth -> answer -> number of runs."""
    counts = Counter((record["truth"]["answer"], answer_of(record)) for record in records)
    return {truth: {answer: counts[truth, answer] for answer in ANSWERS} for truth in TRUTHS}


def trusted(records: Sequence[Record]) -> Count:
    """Wrong weights that are called right."""
    wrong = [record for record in records if record["truth"]["answer"] == "wrong"]
    return Count(sum(answer_of(record) == "yes" for record in wrong), len(wrong))


def missed(records: Sequence[Record]) -> Count:
    """Right weights that are called wrong."""
    right = [record for record in records if record["truth"]["answer"] == "right"]
    return Count(sum(answer_of(record) == "no" for record in right), len(right))


def undecided(records: Sequence[Record]) -> Count:
    """Runs with a clear truth that get neither yes nor no."""
    clear = [record for record in records if is_clear(record)]
    return Count(sum(answer_of(record) not in ("yes", "no") for record in clear), len(clear))


def undecided_reasons(records: Iterable[Record]) -> dict[str, dict[str, int]]:
    """Truth -> reason of a verdict that decides nothing -> number of runs."""
    found: dict[str, Counter[str]] = {truth: Counter() for truth in ("right", "wrong")}
    for record in records:
        if is_clear(record) and answer_of(record) not in ("yes", "no"):
            found[record["truth"]["answer"]][f"{answer_of(record)}: {record['verdicts'][OWN]['reason']}"] += 1
    return {truth: dict(counts.most_common()) for truth, counts in found.items()}


def changed_by(records: Sequence[Record], what: str) -> Count:
    """Runs with another answer in any variant whose name begins so, `scale` or `seed`; of those that have one."""
    changed = []
    for record in records:
        variants = [name for name in record["verdicts"] if name.startswith(what)]
        if variants:
            changed.append(any(answer_of(record, name) != answer_of(record) for name in variants))
    return Count(sum(changed), len(changed))


def reliability(records: Iterable[Record]) -> list[dict[str, float]]:
    """By confidence of the verdicts that say yes or no on a clear truth: how many are right."""
    decided = [record for record in records if is_clear(record) and answer_of(record) in ("yes", "no")]
    groups = []
    for low, high in pairwise(CONFIDENCES):
        inside = [
            record for record in decided if low <= confidence_of(record) < high or confidence_of(record) == high == 1
        ]
        good = sum((answer_of(each) == "yes") == (each["truth"]["answer"] == "right") for each in inside)
        mean = sum(map(confidence_of, inside)) / len(inside) if inside else 0.0
        groups.append({"from": low, "to": high, "runs": len(inside), "right": good, "mean_confidence": round(mean, 4)})
    return groups


def confidence_of(record: Record) -> float:
    return float(record["verdicts"][OWN]["confidence"])


def method_table(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Method -> mean hit rate over the runs that learned their task, over those whose weights are right, and wrong."""
    learned = [record for record in records if record["truth"]["is_learned"]]
    names = dict.fromkeys(name for record in learned for name in record["methods"])
    groups = {"all": learned} | {kind: [r for r in learned if r["truth"]["answer"] == kind] for kind in TRUTHS[:2]}
    found: dict[str, dict[str, float]] = {}
    for name in names:
        found[name] = {}
        for group, members in groups.items():
            rates = [record["methods"][name] for record in members if name in record["methods"]]
            found[name][group] = sum(rates) / len(rates) if rates else float("nan")
            found[name][f"{group}_runs"] = len(rates)
    return found


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """All figures of some runs, for JSON."""
    return {
        "runs": len(records),
        "confusion": confusion(records),
        "trusted": trusted(records).facts(),
        "missed": missed(records).facts(),
        "undecided": undecided(records).facts(),
        "undecided_reasons": undecided_reasons(records),
        "changed_by_scale": changed_by(records, "scale").facts(),
        "changed_by_seed": changed_by(records, "seed").facts(),
        "reliability": reliability(records),
    }
