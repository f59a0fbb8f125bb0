"""The trackers that `tracker=` names, made before any data are read: what is missing for one is said at once."""

import inspect
from collections.abc import Sequence

from attnfocus.errors import ConfigError
from attnfocus.events import Listener
from attnfocus.runs.assembly import Setup


def trackers_of(setup: Setup, overrides: Sequence[str]) -> dict[str, Listener]:
    """The trackers by their names.

    Args:
        overrides: of the command line, where an option stands that sends something away from this machine.

    Raises:
        ConfigError: every tracker that cannot be made, and why.
    """
    problems: list[str] = []
    made: dict[str, Listener] = {}
    for name in setup.trackers:
        try:
            made[name] = _tracker(setup, name, overrides)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return made


def _tracker(setup: Setup, name: str, overrides: Sequence[str]) -> Listener:
    key, node, factory = f"tracker.{name}", setup.config.tracker[name], setup.trackers[name]
    target = getattr(factory, "func", factory)
    defaults = inspect.signature(target).parameters
    for option in getattr(target, "only_typed", ()):
        is_typed = any(text.partition("=")[0] == f"{key}.{option}" for text in overrides)
        if option in node and node[option] != defaults[option].default and not is_typed:
            raise ConfigError(
                f"{key}.{option}: may only be given on the command line, not in a file: it sends the run's figures "
                f"away. Type {key}.{option}={node[option]}"
            )
    try:
        tracker = factory()
    except ConfigError as error:
        raise ConfigError([f"{key}: {problem}" for problem in error.problems]) from error
    except Exception as error:
        what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ConfigError(f"{key}: {what}") from error
    if not isinstance(tracker, Listener):
        kind = type(tracker).__name__
        raise ConfigError(f"{key}: {kind} is no attnfocus.events.Listener. Derive it from that.")
    return tracker
