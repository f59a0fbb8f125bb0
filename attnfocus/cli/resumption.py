"""What the command line of a run that goes on means: keys of its data set are those of the set that it has."""

from collections.abc import Sequence

from attnfocus.config.override_text import literal
from attnfocus.config.read import load_yaml
from attnfocus.errors import UserError
from attnfocus.layout import CONFIG_FILE
from attnfocus.runs.catalog import OUTPUTS, find_run


def with_own_dataset(overrides: Sequence[str]) -> list[str]:
    """The overrides, with the run's choice of `dataset` where keys of it are given and no choice is.

    What is wrong with the run is said by whoever loads it.
    """
    values = dict(text.partition("=")[::2] for text in overrides)
    if not values.get("resume") or "dataset" in values or not any(key.startswith("dataset.") for key in values):
        return list(overrides)
    name, outputs = (text.strip("'\"") for text in (values["resume"], values.get("paths.outputs", OUTPUTS)))
    try:
        saved = load_yaml(find_run("resume", name, outputs) / CONFIG_FILE)
    except UserError:
        return list(overrides)
    choices = saved.get("choices")
    choice = choices.get("dataset") if isinstance(choices, dict) else None
    return [literal(f"dataset={choice}"), *overrides] if isinstance(choice, str) else list(overrides)
