"""What may be wrong with the launcher of a sweep, told before any job is made."""

from collections.abc import Iterator, Mapping
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from attnfocus.config.folder import config_folders, groups
from attnfocus.config.nearest import choices_text, did_you_mean
from attnfocus.config.overrides import CommandLine
from attnfocus.config.unknown_keys import KeyFinder
from attnfocus.errors import ConfigError
from attnfocus.redaction import is_secret

GROUP = "hydra/launcher"
# Launchers of Hydra's plugins -> how to install them.
PLUGINS = dict.fromkeys(("joblib", "submitit_local", "submitit_slurm"), "pip install 'attnfocus[launch]'")
PLUGINS |= dict.fromkeys(("ray", "ray_aws"), "pip install hydra-ray-launcher")


def check_launcher(line: CommandLine) -> None:
    """Finds a launcher that there is not, and options that it does not have.

    Raises:
        ConfigError: names the option, and what there is or how to install it.
    """
    parsed = [OverridesParser.create().parse_override(text) for text in line.overrides]
    choices = [override for override in parsed if override.key_or_group == GROUP]
    if any(override.is_sweep_override() for override in choices):
        raise ConfigError(f"{GROUP}: one launcher starts all jobs of a sweep. Choose one.")
    known = _known(line.config_dir)
    for override in choices:
        name = str(override.value())
        if name in PLUGINS and name not in known:
            raise ConfigError(f"{GROUP}={name}: its plugin is not installed. {PLUGINS[name]}")
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(f"{GROUP}={name}: no such launcher.{hint} There are: {choices_text(name, known)}.")
    changed = [key for each in parsed if (key := each.key_or_group).startswith("hydra.launcher.") and not each.is_add()]
    if changed:
        section = line.compose([str(override.input_line) for override in choices], with_hydra=True)["hydra"]
        finder = KeyFinder({"hydra": section}, {}, line.verb)
        problems = [finder.problem(key) for key in changed]
        if any(problems):
            raise ConfigError([problem for problem in problems if problem])


def _known(config_dir: str | None) -> list[str]:
    Plugins.instance()  # which tell Hydra of their launchers
    stored = [name.removesuffix(".yaml") for name in ConfigStore.instance().list(GROUP)]
    return sorted({*stored, *groups(config_folders(config_dir)).get(GROUP, {})})


def launcher_problems(section: Mapping[str, Any], line: CommandLine) -> Iterator[str]:
    """What in a composed launcher could run commands that nobody typed, or would write a secret into a file.

    Commands come in lists and sections of their own (`setup`, `additional_parameters`), or behind the end of a line.
    """
    launcher, defaults = section["launcher"], _defaults(str(section["runtime"]["choices"].get(GROUP)))
    typed = [text.lstrip("+") for text in line.overrides if text not in line.saved]
    for name, value in launcher.items():
        key = f"hydra.launcher.{name}"
        if isinstance(value, list | Mapping):
            is_typed = any(text.startswith((f"{key}=", f"{key}.", "hydra.launcher=")) for text in typed)
            if value and value != defaults.get(name) and not is_typed:
                yield f"{key}: could run commands. Give it on the command line, not in a file."
        elif isinstance(value, str) and any(ord(character) < 32 for character in value):
            yield f"{key}: holds control characters."
    if "submitit" in str(launcher.get("_target_")):
        for text in line.overrides:
            key = text.split("=", 1)[0]
            if is_secret(key) and "${" not in text:
                yield (
                    f"{key}: a secret, which submitit would write into a file. Write '{key}=${{oc.env:NAME}}', and set "
                    "NAME in the environment."
                )


def _defaults(name: str) -> dict[str, Any]:
    """The options that a launcher of Hydra or a plugin has by itself; empty for one of the user's own folder."""
    if f"{name}.yaml" not in ConfigStore.instance().list(GROUP):
        return {}
    options = OmegaConf.to_container(ConfigStore.instance().load(f"{GROUP}/{name}.yaml").node)
    return {str(key): value for key, value in options.items()} if isinstance(options, dict) else {}
