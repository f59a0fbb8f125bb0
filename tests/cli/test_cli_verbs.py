"""The verbs are in one table: what is made from it, and that a verb is added by its room and one line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attnfocus.cli.help import summary, verb_help
from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config.folder import shipped_folder
from attnfocus.config.primary import primary_file, primary_groups, primary_keys

ROOT = Path(__file__).resolve().parents[2]

ROOM = '''"""`attnfocus greet`: a verb of a test."""

import sys

from attnfocus.commands.verb import Flag, Verb

VERB = Verb(
    examples=("attnfocus greet Ann Bo",),
    usage="NAME ... [key=value] ...",
    bare="names",
    flags={"--loud": Flag("times=3", "three times")},
)


def run(values, overrides):
    assert "torch" not in sys.modules
    print("hello", *values["names"] * values["times"])
    return 0
'''
KEYS = """# Greet whoever is named
defaults:
  - _self_
  - override hydra/job_logging: disabled
  - override hydra/hydra_logging: disabled

names: [] # who is greeted
times: 1 # how often (> 0)

hydra:
  run:
    dir: .
  output_subdir: null
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with a verb more: a module, its keys, a line."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("attnfocus", "hydra_plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(shipped_folder(), folder / "configs")
    (folder / "attnfocus" / "commands" / "greet.py").write_text(ROOM)
    (folder / "configs" / "greet.yaml").write_text(KEYS)
    table = folder / "attnfocus" / "cli" / "verbs.py"
    line = '    "doctor": "attnfocus.commands.doctor",\n'
    text = table.read_text(encoding="utf-8")
    assert line in text
    table.write_text(text.replace(line, f'{line}    "greet": "attnfocus.commands.greet",\n'), encoding="utf-8")
    return folder


def said(house: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "attnfocus", *arguments],
        cwd=house,
        env={"PYTHONPATH": str(house), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_verb_is_added_by_its_room_and_one_line(house: Path) -> None:
    assert re.search(r"^  greet +greet whoever is named$", said(house), re.M)
    shown = said(house, "greet", "--help")
    assert shown.startswith("attnfocus greet NAME ... [key=value] ...\ngreet whoever is named\n")
    for part in ("names=", "how often (> 0)", "--loud", "attnfocus greet Ann Bo"):
        assert part in shown
    assert "--multirun" not in shown
    assert said(house, "greet", "Ann", "Bo") == "hello Ann Bo\n"
    assert said(house, "greet", "Ann", "--loud") == "hello Ann Ann Ann\n"
    assert "greet" in said(house, "-sc", "query=bash", COMP_LINE="attnfocus gr").split()
    assert "times=" in said(house, "-sc", "query=bash", COMP_LINE="attnfocus greet ti")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_what_it_is(verb: str) -> None:
    assert 10 < len(summary(verb)) <= 80
    shown = verb_help(verb)
    for example in facts_of(verb).examples:
        assert f"attnfocus {verb}" in example
        assert example in shown
    assert all(key.comment for key in primary_keys(verb))
    assert primary_file(verb).is_file()


def test_a_verb_whose_file_begins_with_that_of_another_takes_its_groups_and_keys() -> None:
    assert primary_groups("data") == primary_groups("train")
    own = {key.name: key.comment for key in primary_keys("data")}
    assert {key.name for key in primary_keys("train")} < set(own)
    assert own["run_dir"] == "folder of the figures; null: a new one under paths.outputs"  # its own line of help
    assert "format=table" in verb_help("data")


def test_the_readme_shows_every_verb() -> None:
    for name in ("README.md", "README.zh.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not [verb for verb in VERBS if f"attnfocus {verb}" not in text]
