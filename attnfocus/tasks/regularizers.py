"""The regularizers of attention in a training step: which weights they look at, and what they add to the loss.

Shapes: B examples, H heads, Q queries, K keys. A term is, for each example, the mean over its real queries and heads
and over the attentions looked at, times the example's number of targets: summed over any batches and divided by their
targets it is the same number, and for a decoder the mean over all target tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attnfocus.attention import AdaptiveSpanAttention, BaseAttention
from attnfocus.attention.role import Kind
from attnfocus.data.batches import Batch
from attnfocus.data.codecs.base import Codec
from attnfocus.data.rows import Row
from attnfocus.errors import ConfigError, DataError
from attnfocus.focus.measures import normalized_entropy
from attnfocus.focus.regularizer_options import GuidedOptions, OfWeights, Regularization
from attnfocus.focus.regularizers import head_overlap, missed_alignment, off_diagonal, repeated_attention
from attnfocus.models.base import Model
from attnfocus.tasks.looks import Look
from attnfocus.tasks.measures.alignment import aligning_place


class Regularizers:
    """The terms of a run's `focus` section. Holds no state: what is added is a function of the step and the batch.

    Args:
        options: which terms, with their schedules.
        codec: for the gold alignment alone.
    """

    def __init__(self, options: Regularization, codec: Codec | None = None) -> None:
        self.terms = options.terms
        self._codec = codec

    def need_weights(self, step: int) -> bool:
        """Whether the model must give its weights in this optimizer step, counted from 1."""
        return any(isinstance(term, OfWeights) and term.weight_at(step) for term in self.terms.values())

    def penalties(
        self, step: int, model: Model, batch: Batch, looks: Sequence[Look], num_passes: int = 1
    ) -> dict[str, Tensor]:
        """Every term of the run, times its weight in this step and summed over the batch's targets: scalars.

        Args:
            batch: what the model saw.
            looks: where; may be empty if `need_weights` is False.
            num_passes: how many times each example is in the batch; the terms are means over the passes.

        Raises:
            ConfigError: a term names an attention that the model has not, or that it cannot be computed from.
        """
        if not self.terms:
            return {}
        targets = torch.tensor(batch.target_counts, device=batch.inputs.device)
        found = {}
        for name, term in self.terms.items():
            weight = term.weight_at(step) / num_passes
            if weight == 0:
                found[name] = torch.zeros((), device=batch.inputs.device)
            elif isinstance(term, OfWeights):
                chosen = _chosen(name, term, looks)
                means = [_mean(self._per_query(name, term, look, batch), look.queries) for look in chosen]
                found[name] = weight * (torch.stack(means).mean(dim=0) * targets).sum()
            else:
                found[name] = weight * _mean_span(model) * batch.num_targets
        return found

    def _per_query(self, name: str, term: OfWeights, look: Look, batch: Batch) -> Tensor:
        """(B, H, Q), or (B, 1, Q) of all heads together."""
        if name == "entropy":
            return normalized_entropy(look.weights, look.pairs)
        if name == "coverage":
            return repeated_attention(look.weights.mean(dim=1, keepdim=True), look.pairs)
        if name == "diversity":
            return head_overlap(look.weights, look.pairs).unsqueeze(1)
        assert isinstance(term, GuidedOptions)
        weights = look.weights.mean(dim=1, keepdim=True)
        if term.head is not None:
            weights = look.weights[:, term.head : term.head + 1]
        if term.target == "diagonal":
            return off_diagonal(weights, look.pairs, look.queries, term.width)
        assert self._codec is not None
        links = link_mask(self._codec, batch.rows, weights.shape[2], weights.shape[3])
        return missed_alignment(weights, links.unsqueeze(1).to(weights.device), look.pairs)


def _mean(values: Tensor, queries: Tensor) -> Tensor:
    """values (B, H or 1, Q), real queries (B, 1, Q) -> each example's mean (B,); 0 where there is no query."""
    total = torch.where(queries, values, 0.0).sum(dim=(1, 2))
    return total / (values.shape[1] * queries.sum(dim=(1, 2))).clamp_min(1)


def _mean_span(model: nn.Module) -> Tensor:
    """Mean of the spans of all heads of all adaptive-span attentions, in positions."""
    penalties = [module.span_penalty() for module in model.modules() if isinstance(module, AdaptiveSpanAttention)]
    return torch.stack(penalties).mean()


def _chosen(name: str, term: OfWeights, looks: Sequence[Look]) -> list[Look]:
    """The attentions that a term looks at."""
    suits = {look.name: _Suitable(look.place.kind, look.weights.shape[1]) for look in looks}
    if term.attentions is None:
        suitable = [look for look in looks if _why_not(name, term, look.name, suits) is None]
        if name == "guided":
            aligning = aligning_place(look.place for look in looks)
            suitable = [look for look in suitable if look.place == aligning]
        if not suitable:
            raise ConfigError(f"focus.{name}.weight: no attention of this model gives weights that suit it. Use 0.")
        return suitable
    problem = _problem_of_names(name, term, suits)
    if problem is not None:
        raise ConfigError(problem)
    by_name = {look.name: look for look in looks}
    return [by_name[wanted] for wanted in dict.fromkeys(term.attentions)]


class _Suitable(NamedTuple):
    """What decides whether a term can look at an attention; `num_heads=None`: not known before there are weights."""

    kind: Kind
    num_heads: int | None


def _problem_of_names(name: str, term: OfWeights, suits: Mapping[str, _Suitable]) -> str | None:
    """Why a term cannot look at the attentions that it names, and what works."""
    if term.attentions is None:
        return None
    reasons = [_why_not(name, term, wanted, suits) for wanted in term.attentions] or ["must name one or more, got []"]
    reason = next(filter(None, reasons), None)
    if reason is None:
        return None
    names = ", ".join(each for each in suits if _why_not(name, term, each, suits) is None)
    return f"focus.{name}.attentions: {reason}. Use {f'some of {names}, or null' if names else 'null'}."


def _why_not(name: str, term: OfWeights, wanted: str, suits: Mapping[str, _Suitable]) -> str | None:
    if wanted not in suits:
        return f"the model has no {wanted}"
    kind, num_heads = suits[wanted]
    if name in ("coverage", "guided") and kind != "cross":
        return f"{wanted} does not go from a decoder to its source"
    if num_heads is None:
        return None
    if name == "diversity" and num_heads < 2:
        return f"{wanted} has one head"
    if isinstance(term, GuidedOptions) and term.head is not None and term.head >= num_heads:
        return f"{wanted} has {num_heads} heads, and no number {term.head}"
    return None


def link_mask(codec: Codec, rows: Sequence[Row], num_queries: int, num_keys: int) -> Tensor:
    """Which tokens of the input each token of the target should look at: bool (B, Q, K) on the CPU.

    Those that the row's sure links name; for a token without sure ones, those of its possible links (see
    `Codec.links`). EOS, and a row whose alignment is not known, have none.
    """
    mask = torch.zeros(len(rows), num_queries, num_keys, dtype=torch.bool)
    places = [(number, *link) for number, row in enumerate(rows) for link in _wanted_links(codec, row)]
    if places:
        mask[tuple(torch.tensor(places).t())] = True
    return mask


def _wanted_links(codec: Codec, row: Row) -> list[tuple[int, int]]:
    """Pairs (target token, input token)."""
    links = codec.links(row)
    if links is None:
        return []
    is_sure = {target for target, _ in links.sure}
    return [*links.sure, *((target, source) for target, source in links.possible if target not in is_sure)]


def regularizer_problems(
    options: Regularization, task: str, tokenizer: str, model: Model, *, writes: bool
) -> list[str]:
    """Why terms that are on cannot apply, as far as that can be told before there are data.

    Args:
        task: its name.
        tokenizer: kind of the tokenizer.
        model: may be without numbers.
        writes: whether the task's answers are written by a decoder.
    """
    attentions = [module for module in model.modules() if isinstance(module, BaseAttention)]
    most_heads = max((attention.num_heads for attention in attentions), default=0)
    problems: list[str] = []
    for name in ("coverage", "guided"):
        if name in options.terms and not writes:
            problems.append(
                f"focus.{name}.weight: follows a decoder through its source, and {task} has no decoder. Use 0, or "
                "focus=entropy, focus=diversity; or model=seq2seq with its data."
            )
    guided = options.guided
    if "guided" in options.terms and guided.head is not None and guided.head >= most_heads:
        problems.append(f"focus.guided.head: must be below the number of heads, {most_heads}, got {guided.head}.")
    if "guided" in options.terms and guided.target == "gold" and tokenizer == "torchtext":
        problems.append(
            "focus.guided.target: gold needs to know which characters a token covers, which the tokenizers of "
            "torchtext do not tell. Use dataset.tokenizer.kind=word, or focus.guided.target=diagonal."
        )
    if "diversity" in options.terms and most_heads < 2:
        problems.append(
            "focus.diversity.weight: compares heads, and no attention here has two. Use 0, or attention.num_heads=4."
        )
    if "span" in options.terms and not any(isinstance(each, AdaptiveSpanAttention) for each in attentions):
        problems.append("focus.span.weight: no attention here has a span to learn. Use 0, or attention=adaptive_span.")
    heads = {name: attention.num_heads for name, attention in model.attentions().items()}
    suits = {place.name: _Suitable(place.kind, heads.get(place.name)) for place in model.places()}
    for name, term in options.terms.items():
        problem = _problem_of_names(name, term, suits) if isinstance(term, OfWeights) else None
        if problem is not None and not any(each.startswith(f"focus.{name}.") for each in problems):
            problems.append(problem)
    return problems


def require_alignments(options: Regularization, rows: Iterable[Row]) -> None:
    """Refuses to be guided by alignments that no training row has.

    Raises:
        DataError: why, and what works.
    """
    guided = options.guided
    if "guided" in options.terms and guided.target == "gold" and not any(row.alignment for row in rows):
        raise DataError(
            "focus.guided.target: gold needs rows whose alignment is known, and no training row of this set has one. "
            "Use focus.guided.target=diagonal, or dataset=dates."
        )
