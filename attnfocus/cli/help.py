"""What `attnfocus` and `attnfocus VERB --help` print, read from the YAML files themselves."""

import re
import shutil
import textwrap
from pathlib import Path

from attnfocus.config.folder import config_folders, description, groups, shipped_folder
from attnfocus.version import __version__

VERBS = {
    "train": "train a model, test its best checkpoint, write a run directory",
    "evaluate": "recompute the metrics of a run on one of its splits",
    "predict": "read lines, write one prediction per line",
    "inspect": "see where a run looks: on the screen, as a page, as figures, as JSON",
    "compare": "put runs side by side: spreads over seeds, significance against a baseline",
    "bench": "measure time and memory of attentions over the length",
    "doctor": "check this machine: versions, devices, threads, folders, a short run",
}

EXAMPLES = {
    "train": (
        "attnfocus train model=seq2seq attention=additive",
        "attnfocus train model=seq2seq dataset=parallel_text dataset.train=my.tsv trainer.max_epochs=5",
        "attnfocus train -m model=seq2seq attention=additive,dot,general",
    ),
    "evaluate": ("attnfocus evaluate run=outputs/DATE/RUN split=test",),
    "predict": (
        "attnfocus predict run=outputs/DATE/RUN input=lines.txt",
        "echo 'May 3, 1999' | attnfocus predict run=outputs/DATE/RUN format=jsonl",
    ),
    "inspect": (
        "attnfocus inspect run=outputs/DATE/RUN text='Freitag, 3. Mai 1999'",
        "attnfocus inspect run=outputs/DATE/RUN split=valid num_examples=8 'method=[attention,gradient_input]'",
    ),
    "compare": (
        "attnfocus compare outputs/DATE/*",
        "attnfocus compare outputs/sweeps/DATE/TIME baseline=outputs/DATE/RUN format=markdown",
    ),
    "bench": (
        "attnfocus bench 'attentions=[multi_head,local,linformer]' 'lengths=[256,512,1024]'",
        "attnfocus bench 'attentions=[local, local attention.pattern.window=32]' with_mask=true",
    ),
    "doctor": ("attnfocus doctor", "attnfocus doctor --json device=cuda paths.outputs=/data/runs"),
}

FLAGS = (
    ("-m, --multirun", "run every combination of key=a,b,c"),
    ("--cfg job", "print every key and stop (--resolve, -p SECTION)"),
    ("--config-dir DIR", "your groups: DIR/dataset/mine.yaml gives dataset=mine"),
    ("--debug", "show tracebacks"),
    ("--json", "for programs; the same as format=json"),
    ("--hydra-help", "Hydra's own flags"),
)

USAGES = {"train": "[group=choice] [key=value] ...", "compare": "DIR ... [key=value] ..."}  # others: keys alone
SECTION = "decoding."  # of train.yaml; its keys are shown by name alone, as those of the trainer
FLAG_VERBS = {"-m, --multirun": "train", "--json": "doctor"}  # flags of a single verb


def overview(config_dir: str | None = None) -> str:
    """The verbs, and every group's choices with one line each, those of the user's own folder among them."""
    lines = [f"attnfocus {__version__}: train attention models, and see where they look", ""]
    lines += ["attnfocus VERB [group=choice] [key=value] ...", ""]
    lines += [f"  {verb:<10} {text}" for verb, text in VERBS.items()]
    for group, choices in groups(config_folders(config_dir)).items():
        lines += ["", f"{group}="]
        lines += [f"  {choice:<20} {description(path)}".rstrip() for choice, path in choices.items()]
    lines += ["", 'attnfocus VERB --help shows the keys. Tab completion: eval "$(attnfocus -sc install=bash)"']
    return "\n".join(lines)


def verb_help(verb: str, config_dir: str | None = None) -> str:
    """One screen: usage, choices, the verb's own keys, flags, examples."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    usage = USAGES.get(verb, "key=value ...")
    lines = [f"attnfocus {verb} {usage}", VERBS[verb]]
    if verb == "train":
        lines += _choices(width, config_dir)
        lines += _sections(width)
    lines += [*([] if verb == "train" else [""]), "keys"]
    keys = [(key, text) for key, text in _primary_keys(shipped_folder() / f"{verb}.yaml")]
    lines += [f"  {key:<34} {text}" for key, text in keys if verb != "train" or not key.startswith(SECTION)]
    lines += ["", "flags"]
    lines += [f"  {flag:<34} {text}" for flag, text in FLAGS if FLAG_VERBS.get(flag, verb) == verb]
    lines += ["", "examples"]
    lines += [f"  {example}" for example in EXAMPLES[verb]]
    return "\n".join(lines)


def _choices(width: int, config_dir: str | None) -> list[str]:
    lines = ["groups"]
    for group, choices in groups(config_folders(config_dir)).items():
        if len(choices) > 1:
            text = f"  {group:<21} {', '.join(choices)}"
            lines += textwrap.wrap(text, width, subsequent_indent=" " * 24)
    return [*lines, ""]


def _sections(width: int) -> list[str]:
    """The names of the keys that are alike for every model and data set; `--cfg job` shows the others too."""
    folder, shown = shipped_folder(), []
    trainer = _primary_keys(folder / "trainer" / "default.yaml")
    decoding = [(k.removeprefix(SECTION), t) for k, t in _primary_keys(folder / "train.yaml") if k.startswith(SECTION)]
    for section, keys in (("trainer.", trainer), (SECTION, decoding)):
        text = f"  {section:<21} {', '.join(key.split('=')[0] for key, _ in keys)}"
        shown += textwrap.wrap(text, width, subsequent_indent=" " * 24)
    return [*shown, ""]


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
