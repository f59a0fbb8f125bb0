"""`train -m hydra/sweeper=optuna`: what is searched for, checked before anything is made or trained."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from attnfocus.cli.sweeps.command_line import RESUME, key_of
from attnfocus.config.alone import as_overrides
from attnfocus.config.folder import config_folders, groups
from attnfocus.config.nearest import did_you_mean
from attnfocus.config.override_text import is_of_hydra, unreadable
from attnfocus.config.overrides import MAX_COMPOSED, CommandLine
from attnfocus.config.search_space import Dimension, split_overrides
from attnfocus.config.stacks import with_stacks
from attnfocus.errors import ConfigError, Problem, UserError
from attnfocus.events import Listener

if TYPE_CHECKING:
    from attnfocus.commands.sweep.search.options import SearchPlan

NAME = "optuna"
TARGET = "hydra_plugins.attnfocus_search.OptunaSweeper"
GROUP = "search"  # of ready spaces


@dataclass(frozen=True)
class SearchToRun:
    """A search that may begin: its plan, and the folder of the study that its storage holds, if it does."""

    plan: "SearchPlan"
    folder: Path | None


def search_to_run(line: CommandLine) -> SearchToRun | None:
    """The search that a command line with `-m` asks for, checked; None where it asks for a plain sweep.

    Raises:
        ConfigError: something is wrong with its options, space, objectives or storage.
    """
    if any(map(unreadable, line.overrides)):
        return None  # nothing may parse it
    if any(text.startswith(f"hydra/sweeper={NAME}") for text in line.overrides):
        _check_option_names(line.overrides)
    try:
        section = line.compose(list(line.fixed().values()), with_hydra=True)["hydra"]["sweeper"]
    except (ConfigError, HydraException):
        section = {}  # whoever looks at the command line next says why
    if section.get("_target_") == TARGET:
        return _checked(line, section)
    return None


def _checked(line: CommandLine, section: Mapping[str, Any]) -> SearchToRun:
    from attnfocus.commands.sweep.search.options import SearchPlan, check_options, objectives_of
    from attnfocus.commands.sweep.search.storage import require_optuna, study_folder

    require_optuna()
    options = check_options(_resolved(section))
    of_hydra = [text for text in line.overrides if is_of_hydra(text)]
    of_task = [text for text in line.overrides if text not in of_hydra]
    choices = groups(config_folders(line.config_dir))
    fixed, space = split_overrides(of_task, options.params, choices)
    _require_space(space)
    shown = [f"{each.key}={each.text}" if each.kind == "choice" else each.extremes[0] for each in space]
    whole = CommandLine(line.verb, [*of_hydra, *fixed, *shown], line.config_dir, is_sweep=True)
    whole.num_trials, whole.compositions = options.n_trials, line.all_compositions()
    whole.check()
    line.outputs = whole.outputs
    metrics, monitor = _check_values(line, fixed, space)
    objectives = objectives_of(options, metrics, monitor)
    alone = _alone(fixed, [each.key for each in space], choices, line.config_dir)
    plan = SearchPlan(options, tuple(space), tuple(fixed), objectives, tuple(alone))
    return SearchToRun(plan, study_folder(options))


def _alone(
    fixed: Sequence[str], varied: Sequence[str], choices: Mapping[str, Mapping[str, Path]], config_dir: str | None
) -> list[str]:
    """What every trial has, as a run alone takes it: in place of `search=` stands what the space sets besides."""
    given = {key_of(text) for text in fixed} | set(varied)
    words = [] if config_dir is None else ["--config-dir", config_dir]
    for text in fixed:
        known = choices.get(key_of(text), {}) if key_of(text) == GROUP else {}
        name = text.partition("=")[2]
        if name in known:
            words += [each for each in as_overrides(known[name]) if key_of(each) not in given]
        else:
            words.append(text)
    return words


def trial_listeners(sweeper: DictConfig, folder: Path, number: int) -> list[Listener]:
    """Who hears job `number` of a sweep besides: in a search the one that asks whether to prune it."""
    if sweeper.get("_target_") != TARGET:
        return []
    from attnfocus.commands.sweep.search.options import check_options
    from attnfocus.commands.sweep.search.pruning import Pruning

    return [Pruning(check_options(_resolved(sweeper)), folder, number)]


def _resolved(section: Mapping[str, Any] | DictConfig) -> dict[str, Any]:
    """The options with variables of the environment in their place."""
    node = section if isinstance(section, DictConfig) else OmegaConf.create(dict(section))
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items()}


def _check_option_names(overrides: Sequence[str]) -> None:
    """Names a mistyped `hydra.sweeper.KEY` with the nearest that there is."""
    from attnfocus.commands.sweep.search.options import SearchOptions

    known = list(SearchOptions.__dataclass_fields__)
    prefix = "hydra.sweeper."
    keys = [key_of(text).removeprefix(prefix) for text in overrides if text.startswith(prefix)]
    problems = [
        f"{prefix}{key}: unknown option of a search.{did_you_mean(key, known)} There are: {', '.join(known)}."
        for key in keys
        if key.split(".")[0] not in known
    ]
    if problems:
        raise ConfigError(problems)


def refuse_alone(overrides: Sequence[str]) -> None:
    """Refuses without `-m` what Hydra would leave out: what is for many runs, and a folder that is not the run's."""
    wanted = (RESUME, GROUP, "hydra/sweeper")
    problems = [
        Problem(f"{text}: is for many runs; add -m.", key_of(text), ["-m", text])
        for text in overrides
        if key_of(text) in wanted and text.partition("=")[2] not in ("null", "", "[]", "basic")
    ]
    problems += [
        Problem(f"{text}: would be Hydra's own folder; a run has run_dir.", key_of(text), [f"run_dir={text[14:]}"])
        for text in overrides
        if key_of(text) == "hydra.run.dir"
    ]
    if problems:
        raise ConfigError(problems)


def _require_space(space: Sequence[Dimension]) -> None:
    if not space:
        raise ConfigError(
            "hydra/sweeper=optuna: nothing to vary. Give ranges, as in "
            "'optimizer.lr=tag(log,interval(1e-4,1e-2))' attention=additive,dot, or a ready space: search=..."
        )
    if any(each.key == GROUP for each in space):
        raise ConfigError(f"{GROUP}: one space at a time.")


def _check_values(line: CommandLine, fixed: Sequence[str], space: Sequence[Dimension]) -> tuple[Mapping[str, Any], str]:
    """Builds what can be built without data from the ends of each range.

    What two keys forbid each other is left to the trials, of which some then fail.

    Returns:
        The metrics of the task with their directions, and the one that the runs monitor.
    """
    from attnfocus.runs.assembly import check_train

    texts = [text for text in fixed if not is_of_hydra(text)]
    is_trust_given = any(key_of(text) == "trust" for text in line.overrides)  # a file may give none

    def check(extra: Sequence[str]) -> Any:
        overrides = [*texts, *extra]
        values, _ = with_stacks(line.compose(overrides, resolve=True), overrides, line.config_dir)
        setup = check_train(values, values["trust"] if is_trust_given else ())
        if setup.config.distributed.strategy is not None:
            raise ConfigError("distributed: the trials of a search run in one process each. Use distributed=none.")
        return setup

    categories = [[each.override(choice) for choice in each.choices] for each in space if each.kind == "choice"]
    setup, refusal = None, None
    for combination in itertools.islice(itertools.product(*categories), MAX_COMPOSED):
        try:
            setup = check(combination)
            break
        except UserError as error:
            refusal = refusal or error
    if setup is None:
        assert refusal is not None
        raise refusal
    problems: dict[str, None] = {}
    for each in space:
        for extreme in each.extremes:
            try:
                check([*(text for text in combination if key_of(text) != each.key), extreme])
            except ConfigError as error:
                problems |= dict.fromkeys(
                    _worded(problem, each) for problem in error.problems if _is_about(problem, each)
                )
    if problems:
        raise ConfigError(list(problems))
    monitor = setup.config.trainer.monitor or setup.task_class.default_monitor
    return setup.directions, monitor


def _is_about(problem: str, dimension: Dimension) -> bool:
    return problem.startswith(f"{dimension.key}:")


def _worded(problem: str, dimension: Dimension) -> str:
    if dimension.kind == "number" and "must be" in problem and "a whole number" in problem:
        return f"{problem.rstrip('.')}; for whole numbers write int({dimension.text})."
    return problem
