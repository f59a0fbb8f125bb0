"""The attention presets of the YAML folder, composed as a user would compose them, once for all tests of a process."""

import functools
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from attnfocus.attention import BaseAttention
from attnfocus.config.targets import make_factory
from attnfocus.runs.trial import without_numbers

CONFIGS = Path(__file__).parents[1] / "configs"
PRESETS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))


@functools.cache
def composed(preset: str, *overrides: str) -> dict[str, Any]:
    """composed("attention=dot", "attention/pattern=causal") -> the section."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(overrides=[f"+{preset}", *overrides])
    return OmegaConf.to_container(config.attention, resolve=True)  # type: ignore[return-value]


@functools.cache
def attentions() -> dict[str, BaseAttention]:
    """One of each preset, without numbers, to be asked what it is like."""

    def built(preset: str) -> BaseAttention:
        with without_numbers():
            return make_factory(composed(f"attention={preset}"))(query_dim=8, key_dim=8)

    return {preset: built(preset) for preset in PRESETS}
