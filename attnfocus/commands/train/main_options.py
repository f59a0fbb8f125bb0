"""What runs are compared by: every option under one name, and which of them to look at first."""

from typing import Any

from attnfocus.config.key_table import KeyTable, flat
from attnfocus.marks import Mark
from attnfocus.runs.assembly import Setup
from attnfocus.runs.schema import TrainConfig

# The last part of keys that matter in every run, whatever their value.
MAIN = frozenset(
    [
        "lr",
        "weight_decay",
        "batch_size",
        "dropout",
        "word_dropout",
        "label_smoothing",
        "seed",
        "embed_dim",
        "hidden_size",
        "num_layers",
        "num_heads",
        "max_steps",
        "max_epochs",
    ]
)


def flat_options(setup: Setup) -> dict[str, str | int | float | bool | None]:
    """The choices, and every option as `section.key`."""
    options = {key: value for key, value in flat(_sections(setup)).items() if key.split(".")[-1] != "_target_"}
    return {**setup.config.choices, **options}


def main_options(setup: Setup) -> frozenset[str]:
    """The choices, the options that matter in every run, and those that are not what the option is by default."""
    sections = _sections(setup)
    keys, options = KeyTable(TrainConfig, sections, setup.config.trust), flat_options(setup)
    changed = {key for key, default in keys.defaults.items() if key in options and options[key] != default}
    changed = {key for key in changed if not keys.has(key, Mark.NO_EFFECT)}
    usual = {key for key, value in options.items() if key.split(".")[-1] in MAIN and value is not None}
    return frozenset({*setup.config.choices, *changed, *usual})


def _sections(setup: Setup) -> dict[str, Any]:
    config = setup.config
    return {
        "model": config.model.component,
        "attention": config.attention,
        "optimizer": config.optimizer,
        "scheduler": config.scheduler,
        "trainer": vars(config.trainer),
        "focus": {
            **{name: vars(term) for name, term in config.focus.terms.items()},
            **({"sigma_reparametrization": True} if config.focus.sigma_reparametrization else {}),
        },
        "seed": config.seed,
    }
