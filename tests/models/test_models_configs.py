"""configs/model against the constructors: a YAML file that forgets an option would hide it from the user."""

import inspect
from pathlib import Path

import pytest
import yaml

from attnfocus import models
from attnfocus.tasks import TASKS

FOLDER = Path(__file__).parents[2] / "configs" / "model"
GIVEN_BY_THE_PROGRAM = {
    "attention",
    "source_vocab_size",
    "target_vocab_size",
    "num_classes",
    "vocab_size",
    "input_dim",
    "grid",
    "input",  # a group of its own, model/input
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_yaml_lists_every_option_at_its_default(path):
    node = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
    model = getattr(models, node.pop("_target_").removeprefix("attnfocus.models."))
    parameters = inspect.signature(model).parameters.values()
    assert node == {each.name: each.default for each in parameters if each.name not in GIVEN_BY_THE_PROGRAM}
    assert set(model.tasks) <= set(TASKS)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_yaml_says_in_a_line_what_each_choice_and_option_is(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# ")
    assert len(lines[1]) <= 72
    options = lines[lines.index("model:") + 2 : lines.index("optimizer:") - 1]
    assert all(" # " in line for line in options)
