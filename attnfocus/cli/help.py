"""What `attnfocus` and `attnfocus VERB --help` print, read from the YAML files themselves."""

import re
import shutil
import textwrap
from pathlib import Path

from attnfocus import __version__
from attnfocus.config.folder import config_folders, description, groups, shipped_folder

VERBS = {
    "train": "train a model, test its best checkpoint, write a run directory",
    "evaluate": "recompute the metrics of a run on one of its splits",
    "predict": "read lines, write one prediction per line",
}

EXAMPLES = {
    "train": (
        "attnfocus train model=seq2seq attention=additive",
        "attnfocus train model=seq2seq dataset=parallel_text dataset.train=my.tsv trainer.max_epochs=5",
        "attnfocus train -m model=seq2seq attention=additive,dot,general",
        "attnfocus train resume=outputs/DATE/RUN",
    ),
    "evaluate": ("attnfocus evaluate run=outputs/DATE/RUN split=test",),
    "predict": (
        "attnfocus predict run=outputs/DATE/RUN input=lines.txt",
        "echo 'May 3, 1999' | attnfocus predict run=outputs/DATE/RUN format=jsonl",
    ),
}

FLAGS = (
    ("-m, --multirun", "run every combination of key=a,b,c"),
    ("--cfg job", "print the configuration and stop (--resolve, -p SECTION)"),
    ("--config-dir DIR", "your groups: DIR/dataset/mine.yaml gives dataset=mine"),
    ("--debug", "show tracebacks"),
    ("--hydra-help", "Hydra's own flags"),
)


def overview() -> str:
    """The verbs, and every group's choices with one line each."""
    lines = [f"attnfocus {__version__}: train attention models, and see where they look", ""]
    lines += ["attnfocus VERB [group=choice] [key=value] ...", ""]
    lines += [f"  {verb:<10} {text}" for verb, text in VERBS.items()]
    for group, choices in groups(config_folders(None)).items():
        lines += ["", f"{group}="]
        lines += [f"  {choice:<20} {description(path)}".rstrip() for choice, path in choices.items()]
    lines += ["", 'attnfocus VERB --help shows the keys. Tab completion: eval "$(attnfocus -sc install=bash)"']
    return "\n".join(lines)


def verb_help(verb: str) -> str:
    """One screen: usage, choices, the verb's own keys, flags, examples."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    usage = "[group=choice] [key=value] ..." if verb == "train" else "key=value ..."
    lines = [f"attnfocus {verb} {usage}", VERBS[verb], ""]
    if verb == "train":
        lines += _choices(width)
        lines += _sections(width)
    lines += ["keys"]
    lines += [f"  {key:<34} {text}" for key, text in _primary_keys(shipped_folder() / f"{verb}.yaml")]
    lines += ["", "flags"]
    lines += [f"  {flag:<34} {text}" for flag, text in FLAGS if verb == "train" or "multirun" not in flag]
    lines += ["", "examples"]
    lines += [f"  {example}" for example in EXAMPLES[verb]]
    return "\n".join(lines)


def _choices(width: int) -> list[str]:
    lines = ["groups"]
    for group, choices in groups(config_folders(None)).items():
        if len(choices) > 1:
            text = f"  {group:<21} {', '.join(choices)}"
            lines += textwrap.wrap(text, width, subsequent_indent=" " * 24)
    return [*lines, ""]


def _sections(width: int) -> list[str]:
    """The names of the keys that are alike for every model and data set; `--cfg job` shows all with their values."""
    keys = [key.split("=")[0] for key, _ in _primary_keys(shipped_folder() / "trainer" / "default.yaml")]
    text = f"  {'trainer.':<21} {', '.join(keys)}"
    shown = textwrap.wrap(text, width, subsequent_indent=" " * 24)
    return [*shown, f"  {'others':<21} attnfocus train --cfg job (after your choices) prints every key", ""]


def _primary_keys(path: Path) -> list[tuple[str, str]]:
    """The commented keys of a primary file: `key=default` and its comment."""
    found: list[tuple[str, str]] = []
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.match(r"^( *)(\w+):\s*(.*?)\s*(?:#\s*(.*))?$", line)
        if match is None:
            continue
        indent, key, value, comment = match.groups()
        section = section if indent else key
        if comment and section != "defaults":
            name = f"{section}.{key}" if indent else key
            default = "" if "${" in value or value in ("null", "[]") else value
            found.append((f"{name}={default}", comment))
    return found
