"""Runs a verb under Hydra: its overrides, sweeps and launchers, with our own errors."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from attnfocus.cli.hydra_flags import hydra_flags
from attnfocus.cli.process import import_quickly, prepare_process
from attnfocus.cli.remedy import command_text, remedy
from attnfocus.cli.resumption import with_own_dataset
from attnfocus.cli.run_choice import with_run
from attnfocus.cli.sweeps.command_line import (
    check_sweep,
    new_sweep_dir,
    resumed_sweep,
    run_sweep,
    sweep_overrides,
    write_page,
)
from attnfocus.cli.sweeps.jobs import Checked, run_sweep_job
from attnfocus.cli.sweeps.search import refuse_alone, search_to_run, trial_listeners
from attnfocus.cli.sweeps.sweeper import SearchSweeper
from attnfocus.cli.values import value_problems
from attnfocus.cli.verbs import VERBS, command_of, facts_of
from attnfocus.cli.words import Words
from attnfocus.collector import without_collector
from attnfocus.config.composition import Composed, Compositions, reword
from attnfocus.config.folder import shipped_folder
from attnfocus.config.hydra_section import check_flags, check_hydra_section
from attnfocus.config.override_text import gathered, literal, trusted_packages
from attnfocus.config.overrides import CommandLine
from attnfocus.config.read import resolve
from attnfocus.config.stacks import with_stacks
from attnfocus.errors import ConfigError, DataError, Problem, with_command
from attnfocus.events import Listener
from attnfocus.files import writing
from attnfocus.local_packages import find_here
from attnfocus.redaction import hide, note_overrides
from attnfocus.runs.given_files import require_files
from attnfocus.stages import watching

OVERRIDE = re.compile(r"([A-Za-z_][\w.@]*|hydra/[\w/]+)=.*|[+~]+[A-Za-z_].*", re.DOTALL)  # 0_lr=0.1 is a job's folder
MAX_NAME = 80  # characters of a sweep job's folder name that come from its overrides


def job_folder(number: int, overrides: str) -> str:
    """`3_lr=0.1`, or `3` without overrides. Characters other than letters, digits and `_=.,+-` become one `-`.

    It ends in none of `.,-`, which a cut leaves there: Windows takes no folder that ends in a dot.
    """
    name = re.sub(r"[^\w=.,+-]+", "-", hide(str(overrides)))[:MAX_NAME].rstrip(".,-")
    return f"{number}_{name}" if name else str(number)


# Hydra's workers import this module to find the task function; the resolver that names their folder must then be there.
OmegaConf.register_new_resolver("attnfocus.job_folder", job_folder, replace=True)


def run_verb(verb: str, arguments: list[str], line: Words | None = None) -> int:
    """Checks the command line, then lets Hydra compose and run it.

    Args:
        line: what was wrong with the words as they were typed; `arguments` are what was meant.

    Returns:
        The exit code.

    Raises:
        ConfigError: every problem at once, with the command line that has none, where that is known.
    """
    compositions: dict[str | None, Compositions] = {}
    slips = [] if line is None else line.problems
    try:
        if slips:
            raise ConfigError(_problems(verb, arguments, compositions))
        return _run_verb(verb, arguments, compositions)
    except ConfigError as error:
        problems = [*slips, *error.problems]
        if not problems or error.command:
            raise
        check = partial(_problems, verb, compositions=compositions, is_whole=True)
        if line is not None and not line.is_known:
            command = ""
        elif error.problems:
            command, hidden = remedy(verb, arguments, error.problems, check)
            problems += hidden
        else:
            command = command_text([verb, *arguments])
        others = [problem.whole for problem in problems if isinstance(problem, Problem) and problem.whole]
        command = "\n".join(filter(None, [*others, command]))
        whole = type(error)(problems, command)
        whole.is_told = error.is_told  # which process of a job says it
        raise whole from error
    except DataError as error:
        problem = error.args[0]
        if isinstance(problem, Problem) and problem.instead is not None:
            check = partial(_problems, verb, compositions=compositions, is_whole=True)
            command, _ = remedy(verb, arguments, [problem], check)
            error.args = (with_command(problem, command),)
        raise


def _problems(
    verb: str, arguments: Sequence[str], compositions: dict[str | None, Compositions], *, is_whole: bool = False
) -> list[str]:
    """What is wrong with a command line, as far as that is seen without running it.

    Args:
        is_whole: whether classes that are in no table are loaded, to check what they take.
    """
    given = arguments_of(verb, arguments)
    line = CommandLine(verb, given.overrides, given.flags.config_dir, is_sweep=given.flags.multirun)
    return _problems_of(line, compositions, with_values=not given.flags.multirun, is_whole=is_whole)


@dataclass(frozen=True)
class Given:
    """The arguments of a verb: flags, words without a key, overrides as Hydra reads them, and everything but these."""

    flags: argparse.Namespace
    bare: Sequence[str]
    overrides: Sequence[str]
    others: Sequence[str]


def arguments_of(verb: str, arguments: Sequence[str]) -> Given:
    """What follows a verb, sorted; flags of Hydra that are not for here are a ConfigError."""
    flags = hydra_flags(arguments)
    check_flags(flags)
    facts = facts_of(verb)
    bare = [text for text in flags.overrides if facts.bare and not OVERRIDE.fullmatch(text)]
    overrides = gathered([literal(text) for text in flags.overrides if text not in bare])
    overrides = with_own_dataset(overrides) if "dataset" in facts.named_groups else overrides
    return Given(flags, bare, overrides, [text for text in arguments if text not in flags.overrides])


def _run_verb(verb: str, arguments: Sequence[str], compositions: dict[str | None, Compositions]) -> int:
    given = arguments_of(verb, arguments)
    flags, bare, overrides = given.flags, given.bare, given.overrides
    note_overrides(overrides)
    find_here(trusted_packages(overrides))
    if flags.multirun and not facts_of(verb).sweeps:
        sweeping = [name for name in VERBS if facts_of(name).sweeps]
        raise ConfigError(f"-m: sweeps are for {', '.join(sweeping)}; {verb} takes one run at a time.")
    if flags.multirun and "TORCHELASTIC_RUN_ID" in os.environ:
        raise ConfigError(
            "-m: torchrun starts the processes of one run. In a sweep each job starts its own: attnfocus train -m "
            "distributed=ddp distributed.num_processes=2 ..."
        )
    shows_config = flags.cfg is not None or flags.info is not None or flags.hydra_help
    if flags.multirun and shows_config:
        one_run = command_text([verb, *(word for word in arguments if word not in ("-m", "--multirun"))])
        raise ConfigError("-m: runs many, and --cfg and --info show one run. Leave out -m.", one_run)
    if flags.multirun:
        return _run_sweep(verb, flags, given.others, overrides)
    refuse_alone(overrides)
    line = CommandLine(verb, overrides, flags.config_dir, is_sweep=False)
    check_line(line, compositions, with_values=not shows_config)
    check_hydra_section(line)
    alone = None if shows_config else line.run_alone()
    if alone is not None:
        configure_log(alone.section.job_logging, alone.section.verbose)
        return run_job(verb, alone, bare)
    outcome = Outcome(bare)
    call_hydra(verb, [*given.others, *overrides], outcome)  # flags first, as Hydra wants
    return outcome.exit_code


def _run_sweep(verb: str, flags: argparse.Namespace, others: Sequence[str], overrides: Sequence[str]) -> int:
    """`-m`: a new sweep, or one that goes on. `others` are the arguments that are no overrides."""
    resumed = resumed_sweep(overrides, flags.config_dir)
    line = CommandLine(verb, overrides, flags.config_dir, is_sweep=True)
    if resumed is not None:
        line = CommandLine(verb, resumed.overrides, resumed.config_dir, is_sweep=True, saved=resumed.saved)
        if flags.config_dir is None and resumed.config_dir is not None:
            others = ["--config-dir", resumed.config_dir, *others]
    check_sweep(line)
    with without_collector():
        search = search_to_run(line)
        if search is None:
            check_line(line, {}, with_values=False)  # each job answers for its own
        check_hydra_section(line)
    begun = resumed.folder if resumed else search.folder if search else None
    folder, is_new = (begun, False) if begun else new_sweep_dir(line)
    arguments = [*others, *line.overrides, *sweep_overrides(line, folder)]
    Checked.compositions = line.all_compositions()
    SearchSweeper.checked = search.plan if search else None
    with writing("sweep.resume" if resumed else "paths.outputs", folder):
        code = run_sweep(folder, lambda: call_hydra(verb, arguments, None), is_new=is_new)
        if search is not None and folder.exists():
            from attnfocus.commands.sweep.search.study_run import finish_search

            finish_search(search.plan, folder)
        if code not in (130, 143):
            write_page(line, folder)
    return code


@dataclass
class Outcome:
    """Carries past Hydra what it has no way for: to a single run its bare arguments, back from it result or error."""

    bare: Sequence[str] = ()
    exit_code: int = 0
    error: Exception | None = None


def call_hydra(verb: str, arguments: Sequence[str], outcome: Outcome | None) -> None:
    def job(config: DictConfig) -> int:
        assert outcome is not None
        try:
            outcome.exit_code = run_job(verb, composed_by_hydra(config), outcome.bare)
        except Exception as error:
            outcome.error = error
        return outcome.exit_code

    task = job if outcome is not None else sweep_job
    before = sys.argv
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us instead of being printed
    sys.argv = [before[0], *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(shipped_folder()), config_name=verb)(task)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(reword(error)) from error
    finally:
        sys.argv = before
    if outcome is not None and outcome.error is not None:
        raise outcome.error


def composed_by_hydra(config: DictConfig) -> Composed:
    """What Hydra gives to the task function of a job."""
    section = cast(DictConfig, HydraConfig.get())
    return Composed(config, list(section.overrides.task), section)


def run_job(verb: str, composed: Composed, bare: Sequence[str] = (), listeners: Sequence[Listener] = ()) -> int:
    """One composed configuration, arguments without a key, and who else hears the run -> the verb's command."""
    values, overrides = values_of(verb, composed, bare)
    prepare_process()
    command = import_quickly(command_of(verb))
    from attnfocus.display.stages import StageScreen  # with rich, which a mistake does without

    with watching(StageScreen()):
        code: int = command.run(values, overrides, *([listeners] if listeners else []))
    return code


def values_of(verb: str, composed: Composed, bare: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """What a verb's command is given: the composed configuration, resolved, with what only the command line knows.

    Returns:
        The values, and the overrides; a run that is named by a part of its name has its path in both.

    Raises:
        ConfigError: a reference that leads nowhere, packages that a file trusts, or a name that means no run.
    """
    values, overrides = resolve(composed.config), list(composed.overrides)
    if values.get("trust") and not any(text.startswith("trust=") for text in overrides):
        raise ConfigError("trust: may only be given on the command line, not in a file.")
    facts = facts_of(verb)
    own = [source.path for source in composed.section.runtime.config_sources if source.provider == "command-line"]
    values, stacks = with_stacks(values, overrides, own[0] if own else None)
    if facts.named_groups:
        chosen = composed.section.runtime.choices
        values["choices"] = {name: str(chosen[name]) for name in facts.named_groups} | stacks
    if bare:
        key = facts.bare
        assert key is not None
        values[key] = [*(values[key] if isinstance(values[key], list) else [values[key]]), *bare]
    if facts.needs_config_dir:
        values["config_dir"] = own[0] if own else None
    if facts.run_key:
        overrides = with_run(verb, values, overrides)
    return values, overrides


def sweep_job(config: DictConfig) -> int:
    """The task function of `VERB -m`; at module level so that launchers can send it to other processes."""

    def run(composed: DictConfig) -> int:
        job = HydraConfig.get()
        listeners = trial_listeners(job.sweeper, Path(job.runtime.output_dir), job.job.num)
        return run_job(str(job.job.config_name), composed_by_hydra(composed), listeners=listeners)

    return run_sweep_job(config, run)


def check_line(line: CommandLine, compositions: dict[str | None, Compositions], *, with_values: bool = True) -> None:
    """Refuses what is seen to be wrong without loading torch: names; values and files where they are asked for."""
    problems = _problems_of(line, compositions, with_values=with_values)
    if problems:
        raise ConfigError(problems)
    if with_values and line.resolved is not None:
        require_files(line.resolved)


def _problems_of(
    line: CommandLine, compositions: dict[str | None, Compositions], *, with_values: bool, is_whole: bool = False
) -> list[str]:
    """`compositions`: those of lines before with the same folder, which are added to."""
    line.compositions = compositions.get(line.config_dir)
    problems: list[str] = []
    try:
        line.check()
    except ConfigError as error:
        problems += error.problems
    if with_values:
        problems += value_problems(line, problems, is_whole=is_whole)
    if line.compositions is not None:
        compositions[line.config_dir] = line.compositions
    return list(dict.fromkeys(problems))  # what cannot be composed is said by both
