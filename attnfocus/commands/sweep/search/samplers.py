"""Optuna's samplers, pruners and distributions for the options of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnfocus.commands.sweep.search.options import Objective, SearchOptions
from attnfocus.config.search_space import Dimension

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

DIGITS = 4  # significant ones, of a proposed number
STEP_DIGITS = 12  # ... of one that lies on a step: 0.3, where a sum of steps is 0.30000000000000004
REDUCTION_FACTOR = 3  # of hyperband: every rung keeps one of so many


def sampler_of(options: SearchOptions, number: int) -> BaseSampler:
    """The sampler for trial `number`, whose proposals depend on seed, number and the trials so far alone.

    One sampler for all would begin with the same draws again when the search goes on. Numbers between which there is no
    step are proposed in a few digits: they are names of folders, and stand in commands and tables.
    """
    inner = _sampler(options, number)
    propose = inner.sample_independent, inner.sample_relative

    def independent(study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return _rounded(propose[0](study, trial, param_name, param_distribution), param_distribution)

    def relative(study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        found = propose[1](study, trial, search_space)
        return {name: _rounded(value, search_space[name]) for name, value in found.items()}

    inner.sample_independent, inner.sample_relative = independent, relative  # type: ignore[method-assign]
    return inner


def _rounded(value: Any, distribution: BaseDistribution) -> Any:
    from optuna.distributions import FloatDistribution

    if not isinstance(distribution, FloatDistribution):
        return value
    digits = DIGITS if distribution.step is None else STEP_DIGITS
    return min(max(float(f"{value:.{digits}g}"), distribution.low), distribution.high)


def _sampler(options: SearchOptions, number: int) -> BaseSampler:
    from optuna import samplers

    seed = int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0])
    if options.sampler == "random":
        return samplers.RandomSampler(seed=seed)
    if options.sampler == "gp":
        return samplers.GPSampler(seed=seed, n_startup_trials=options.startup_trials)
    if options.sampler == "nsgaii":
        return samplers.NSGAIISampler(seed=seed, population_size=max(2, options.startup_trials))
    # With several at once, those that run count as bad ones meanwhile, so that no two are alike.
    return samplers.TPESampler(seed=seed, n_startup_trials=options.startup_trials, constant_liar=options.n_jobs > 1)


def pruner_of(options: SearchOptions, objectives: Sequence[Objective], study: Study | None = None) -> BasePruner:
    """`study`: where hyperband reads after how many steps runs are evaluated first."""
    from optuna import pruners

    kind = options.pruner
    if kind == "auto":
        kind = "median" if len(objectives) == 1 and objectives[0].is_metric else "none"
    if kind == "none":
        return pruners.NopPruner()
    if kind == "median":
        return pruners.MedianPruner(n_startup_trials=options.startup_trials, n_warmup_steps=options.warmup_steps)
    trials = study.get_trials(deepcopy=False) if study is not None else []
    first = min((step for trial in trials for step in trial.intermediate_values), default=1)
    return pruners.HyperbandPruner(min_resource=max(1, first, options.warmup_steps), reduction_factor=REDUCTION_FACTOR)


def distribution_of(dimension: Dimension) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.kind == "choice":
        return CategoricalDistribution(dimension.choices)
    low, high, step, log = dimension.low, dimension.high, dimension.step, dimension.log
    if dimension.kind == "integer":
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)
