"""Hydra's own section names classes that Hydra makes: launchers, callbacks, handlers of logs. They are checked first.

Our allow-list of `_target_` guards what we build; this one what Hydra builds before we are asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from attnfocus.config.folder import config_folders, groups
from attnfocus.config.launchers import check_launcher, launcher_problems
from attnfocus.config.override_text import is_of_hydra, trusted_packages
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError

_REFUSED_FLAGS = {
    "config_path": "--config-path: the configuration is attnfocus's own. Add groups of yours by --config-dir DIR.",
    "config_name": "--config-name: the verb decides it. Add groups of yours by --config-dir DIR.",
    "experimental_rerun": "--experimental-rerun: reads a pickle, which can run anything. Use resume=RUN_DIR.",
}

_CLASS_KEYS = ("_target_", "class", "()", "factory")  # the last three: of a logging configuration
_LOG_CLASSES = re.compile(
    r"logging\.(NullHandler|StreamHandler|FileHandler|Formatter|handlers\.(Timed)?RotatingFileHandler)"
    r"|colorlog\.ColoredFormatter|hydra\._internal\.core_plugins\.\w+\.\w+|hydra\.experimental\.callbacks\.\w+Callback"
)
_PLUGIN_KEYS = ("hydra.launcher._target_", "hydra.sweeper._target_")  # which Hydra compares with its installed plugins
_PLUGINS = re.compile(r"(hydra\._internal\.core_plugins|hydra_plugins)(\.\w+)+")

# What a file of somebody else (in `--config-dir`, an experiment, a saved sweep) may set there: how jobs are launched,
# what is swept and how much is logged, each within the checks below. Everything else decides where files are written or
# which programs run, and has to be typed.
_FROM_FILES = ("hydra.launcher.", "hydra.sweeper.", "hydra.verbose", "hydra.job_logging.", "hydra.hydra_logging.")
_COMPUTED = ("hydra.runtime.", "hydra.job.override_dirname")  # by Hydra, after all files, whatever they say
_SWEPT = "hydra.sweeper.params."
_OF_COMMAND = ("trust", "run_dir", "resume", "sweep", "hydra")  # no sweep of a file may go over these
_GIVEN = ("hydra.overrides.", "hydra.searchpath[")

# A value from elsewhere could be a section with a `_target_`; those of folders are only ever taken as text.
_INTERPOLATION = re.compile(r"\$\{\s*([^${},]*)")
_REFERENCES = ("hydra.", "now:", "oc.env:", "python_version", "attnfocus.job_folder:")
_FOLDERS = ("hydra.run.", "hydra.sweep.")
_LOG_FILE = re.compile(r"\$\{hydra\.(runtime\.output_dir|sweep\.dir)\}/[\w${}.-]+")
_STEERING = re.compile(r"hydra\.job\.env_set\.(PATH|IFS|(LD|DYLD|PYTHON|GIT)_?\w*)")  # decide which programs run


def check_flags(flags: object) -> None:
    """Refuses the flags of Hydra that lead around our checks.

    Raises:
        ConfigError: names the flag and what to use.
    """
    problems = [text for name, text in _REFUSED_FLAGS.items() if getattr(flags, name, None) is not None]
    if problems:
        raise ConfigError(problems)


def check_hydra_section(line: CommandLine) -> None:
    """Composes the command line's section of Hydra, and refuses what in it names classes that nobody has trusted.

    The shipped section needs no check: only a folder of the user's own and overrides of `hydra.*` change it.

    Raises:
        ConfigError: every such key at once.
    """
    parsed = [OverridesParser.create().parse_override(text) for text in line.overrides]
    of_hydra = [override.key_or_group for override in parsed if is_of_hydra(override.key_or_group)]
    if "hydra.searchpath" in of_hydra:
        raise ConfigError("hydra.searchpath: name the folder of your groups by --config-dir DIR.")
    if not of_hydra and line.config_dir is None:
        return
    check_launcher(line)
    trusted = trusted_packages(line.overrides)
    problems: dict[str, None] = {}
    shipped = dict(_leaves("hydra", CommandLine(line.verb, ()).compose((), with_hydra=True)["hydra"]))
    for overrides, is_of_files in _compositions(line, parsed):
        section = line.compose(overrides, with_hydra=True)["hydra"]
        problems |= dict.fromkeys((*_problems(section, trusted), *launcher_problems(section, line)))
        problems |= dict.fromkeys(_only_typed(section, shipped) if is_of_files else ())
    if problems:
        raise ConfigError(list(problems))


def _compositions(line: CommandLine, parsed: Sequence[Override]) -> Iterator[tuple[Sequence[str], bool]]:
    """The overrides with which to look at the section: all of them, and those without its keys that were typed.

    Each of the second kind, which shows what files make of it, once for each choice of a sweep, and marked by True.
    """
    fixed = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
    typed = [text for text in fixed if is_of_hydra(text) and text not in line.saved and "/" not in text.split("=")[0]]
    if typed:
        yield fixed, False
    changing = {*filter(is_of_hydra, (each.key_or_group for each in parsed))}
    if line.config_dir is not None:  # the choices that we ship set nothing there
        changing.update(groups(config_folders(line.config_dir)))
    swept = [each for each in parsed if each.is_sweep_override() and each.is_discrete_sweep()]
    swept = [each for each in swept if each.key_or_group in changing]  # the value of a plain key changes nothing there
    of_jobs = [f"{each.get_key_element()}={text}" for each in swept for text in each.sweep_string_iterator()]
    for extra in ([], *([text] for text in of_jobs)):
        yield [*(text for text in fixed if text not in typed), *extra], True


def _only_typed(section: Mapping[str, Any], shipped: Mapping[str, Any]) -> Iterator[str]:
    """What files have set that may only be typed: where the section is not that of the shipped files."""
    found = dict(_leaves("hydra", section))
    for key in {**shipped, **found}:
        if not key.startswith((*_FROM_FILES, *_COMPUTED, *_GIVEN)) and found.get(key) != shipped.get(key):
            yield f"{key}: may be typed, not read from a file; nothing was run. {key}={found.get(key, 'null')} sets it."
        elif key.startswith(_SWEPT) and re.split(r"[./@]", key.removeprefix(_SWEPT).lstrip("+~"))[0] in _OF_COMMAND:
            yield f"{key}: may be typed, not read from a file; nothing was run."


def _problems(section: Mapping[str, Any], trusted: Sequence[str]) -> Iterator[str]:
    for key, value in _leaves("hydra", section):
        name = key.rpartition(".")[2]
        text = str(value)
        if (name in _CLASS_KEYS or text.startswith("ext://")) and not _is_allowed(key, text, trusted):
            yield (
                f"{key}: {text} lies outside what Hydra may make here; nothing was run. "
                f"If you trust it, say so on the command line: trust=[{text.removeprefix('ext://').split('.')[0]}]."
            )
        elif name == "filename" and not _LOG_FILE.fullmatch(text):
            yield f"{key}: {text}: logs are written to ${{hydra.runtime.output_dir}}/NAME.log alone."
        elif _STEERING.fullmatch(key):
            yield f"{key}: set this variable in your shell."
        elif not key.startswith(_FOLDERS):
            for reference in _INTERPOLATION.findall(text):
                if not reference.startswith(_REFERENCES):
                    yield f"{key}: {text} may not refer to {reference or 'another interpolation'}."


def _is_allowed(key: str, name: str, trusted: Sequence[str]) -> bool:
    if name in ("ext://sys.stdout", "ext://sys.stderr") or any(name.startswith(f"{each}.") for each in trusted):
        return True
    return bool(_LOG_CLASSES.fullmatch(name) or (key in _PLUGIN_KEYS and _PLUGINS.fullmatch(name)))


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value that is no section, with its key."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(f"{key}[{index}]", inner)
    else:
        yield key, value
