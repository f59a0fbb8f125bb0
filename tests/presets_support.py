"""The attention presets of the YAML folder, composed as a user would compose them, once for all tests of a process."""

import functools
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from attnfocus.attention import BaseAttention
from attnfocus.config.composition import _Files
from attnfocus.config.targets import make_factory
from attnfocus.runs.trial import without_numbers

CONFIGS = Path(__file__).parents[1] / "configs"
PRESETS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))


@functools.cache
def composed(preset: str, *overrides: str) -> dict[str, Any]:
    """composed("attention=dot", "attention/pattern=causal") -> the section.

    By the two steps of Hydra's `compose` for the files of a user, without those of its own section, which take four
    fifths of the time; `test_config_composition` holds both equal.
    """
    loader, files = _loader()
    parsed = OverridesParser.create().parse_overrides([f"+{preset}", *overrides])
    found = create_defaults_list(files, None, parsed, prepend_hydra=False, skip_missing=False)
    config = loader._compose_config_from_defaults_list(defaults=found.defaults, repo=files)
    OmegaConf.set_struct(config, True)
    ConfigLoaderImpl._apply_overrides_to_config(found.config_overrides, config)
    return OmegaConf.to_container(config.attention, resolve=True)  # type: ignore[return-value]


@functools.cache
def _loader() -> tuple[Any, _Files]:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        loader: Any = GlobalHydra.instance().config_loader()
    return loader, _Files(loader.repository)


@functools.cache
def attentions() -> dict[str, BaseAttention]:
    """One of each preset, without numbers, to be asked what it is like."""

    def built(preset: str) -> BaseAttention:
        with without_numbers():
            return make_factory(composed(f"attention={preset}"))(query_dim=8, key_dim=8)

    return {preset: built(preset) for preset in PRESETS}
