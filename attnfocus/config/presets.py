"""Choices of a group composed by themselves, as a command that takes several of them needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.global_hydra import GlobalHydra

from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError


def compose_choice(key: str, group: str, text: str, config_dir: str | None = None) -> dict[str, Any]:
    """The section that a choice of `train`'s group gives, resolved.

    Args:
        key: the option that named the choice, for the message.
        group: such as `attention`.
        text: the choice, and overrides of it after blanks: `local attention.pattern.window=4`.
        config_dir: the user's own folder of groups.

    Raises:
        ConfigError: no such choice or option; every problem at once.
    """
    choice, *overrides = text.split() or [""]
    try:
        return composed_choice(group, choice, overrides, config_dir)
    except ConfigError as error:
        problems = (problem.removeprefix(f"{group}=") for problem in error.problems)
        raise ConfigError([f"{key}: {problem}" for problem in problems]) from error


def composed_choice(
    group: str, choice: str, overrides: Sequence[str] = (), config_dir: str | None = None
) -> dict[str, Any]:
    """The section that a choice of `train`'s group and overrides of it give, resolved.

    Raises:
        ConfigError: as of a command line with these overrides.
    """
    line = CommandLine("train", [f"{group}={choice}", *overrides], config_dir)
    with outside_of_hydra():
        line.check()
        section: dict[str, Any] = line.compose(line.overrides, resolve=True)[group]
    return section


@contextmanager
def outside_of_hydra() -> Iterator[None]:
    """Inside a job of Hydra's, which knows one composition at a time, as if there were none."""
    job = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = job
