"""What `attnfocus`, `attnfocus VERB --help` and `attnfocus VERB --help TOPIC` print, made from the verbs' rooms and
the YAML files.
"""

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config.folder import config_folders, description, groups, shipped_folder
from attnfocus.config.primary import (
    Key,
    commented_keys,
    primary_file,
    primary_groups,
    primary_keys,
    shared_sections,
    usual_choice,
)
from attnfocus.version import __version__

START = (
    ("attnfocus train model=seq2seq attention=additive", "dates to digits, 2 minutes"),
    ("attnfocus list", "what there is now"),
    ("attnfocus inspect run=latest text='3 May 1999'", "where does it look?"),
    ("attnfocus evaluate run=latest", "its metrics, again"),
)
SWEEP_FLAG = ("-m, --multirun", "run every combination of key=a,b,c")  # of the verbs that sweep
FLAGS = (
    ("--cfg job", "print every key and stop (--resolve, -p SECTION)"),
    ("--config-dir DIR", "your groups: DIR/dataset/mine.yaml gives dataset=mine"),
    ("--debug", "show tracebacks"),
    ("--hydra-help", "Hydra's own flags"),
)
FIRST_GROUPS = ("model", "attention", "dataset", "optimizer", "scheduler")  # that a beginner looks for
MAX_WIDTH = 100
LONG_SECTION = 4  # keys of a section that have one line together
NAME_WIDTH = 22  # columns of a name, before its line
MIN_WIDTH = 40


def flags_of(verb: str) -> list[tuple[str, str]]:
    """The flags that a verb takes, with a line each."""
    facts = facts_of(verb)
    own = [(name, flag.help) for name, flag in facts.flags.items()]
    return [*([SWEEP_FLAG] if facts.sweeps else []), *own, *FLAGS]


def summary(verb: str) -> str:
    """What a verb does, in a line."""
    text = description(primary_file(verb))
    return text[:1].lower() + text[1:]


def width() -> int:
    """Columns to write in."""
    return max(MIN_WIDTH, min(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MAX_WIDTH))


def overview(config_dir: str | None = None) -> str:
    """Where to start, and the verbs; with a folder of the user's own, its choices."""
    lines = [f"attnfocus {__version__}: train attention models, and see where they look", "", "start here"]
    lines += [f"  {command:<50} {text}" for command, text in START]
    lines += ["", "verbs"]
    lines += [f"  {verb:<10} {summary(verb)}" for verb in VERBS]
    own, *_ = config_folders(config_dir)
    if config_dir is not None:
        lines += ["", f"choices in {config_dir}"]
        for group, choices in groups([own]).items():
            lines += [f"  {f'{group}={choice}':<30} {description(path)}".rstrip() for choice, path in choices.items()]
    lines += ["", "attnfocus VERB --help          its groups, keys, flags and examples"]
    lines += ["attnfocus train --help TOPIC   a group (attention), choice (attention=local) or key"]
    lines += ['eval "$(attnfocus -sc install=bash)"    completion by Tab; also zsh, fish']
    return "\n".join(lines)


def verb_help(verb: str, config_dir: str | None = None) -> str:
    """One screen: usage, choices, the verb's own keys, flags, examples."""
    facts, keys, columns = facts_of(verb), primary_keys(verb), width()
    lines = [f"attnfocus {verb} {facts.usage}", summary(verb)]
    topics, shared = "KEY", _together(verb, keys)
    if primary_groups(verb):
        lines += ["", "groups, written group=choice, and sections, written section.key=value"]
        lines += _choices(verb, columns, config_dir)
    elif shared:
        lines += ["", "sections, written section.key=value"]
    if primary_groups(verb) or shared:  # there are too many keys for one screen
        topics = "TOPIC"
        lines += _sections(verb, keys, columns)
        left_out = {*shared, *facts.idle_keys}
        keys = [key for key in keys if key.name not in left_out and key.section not in shared]
    lines += ["", "keys", *_rows(((f"{key.name}={_shown(key.default)}", key.comment) for key in keys), columns)]
    lines += ["", "flags", *_rows(flags_of(verb), columns)]
    lines += ["", "examples", *(f"  {example}" for example in facts.examples)]
    lines += ["", f"More of one: attnfocus {verb} --help {topics}"]
    return "\n".join(lines)


def _rows(pairs: Iterable[tuple[str, str]], columns: int) -> list[str]:
    """A name and its line each, cut where the screen ends."""
    return [fitted(f"  {name:<{NAME_WIDTH}} {text}", columns) for name, text in pairs]


def fitted(line: str, columns: int) -> str:
    """The line, with dots in the place of what is beyond the screen."""
    return line if len(line) <= columns else line[: columns - 3].rstrip(" ,;:(") + "..."


def _shown(default: str) -> str:
    return "" if "${" in default or default in ("null", "[]") else default


def _choices(verb: str, columns: int, config_dir: str | None) -> list[str]:
    """A line for each group: the usual choice, those of the user's own, then as many others as there is room for."""
    lines = []
    folders = config_folders(config_dir)
    own = groups(folders[:1]) if len(folders) > 1 else {}
    found = groups(folders)
    for group in sorted(found, key=lambda name: (*FIRST_GROUPS, name).index(name)):
        choices, usual = found[group], usual_choice(verb, group)
        first = [name for name in choices if name == usual or name in own.get(group, {})]
        if len(choices) > 1:
            names = [*first, *(name for name in choices if name not in first)]
            lines.append(_some_of(f"{group}=", names, columns))
    return lines


def _some_of(title: str, names: Sequence[str], columns: int) -> str:
    """The names that fit in a line, and how many there are in all."""
    start = f"  {title:<{NAME_WIDTH}} "
    whole = start + ", ".join(names)
    if len(whole) <= columns:
        return whole
    end = f", ... ({len(names)})"
    count = next(n for n in range(len(names), -1, -1) if n <= 1 or len(start + ", ".join(names[:n]) + end) <= columns)
    return start + ", ".join(names[:count]) + end


def _together(verb: str, keys: Sequence[Key]) -> list[str]:
    """The sections that have one line for all their keys: those that verbs share, and long ones."""
    counts = Counter(key.section for key in keys if key.section and primary_groups(verb))
    long = (section for section, count in counts.items() if count >= LONG_SECTION)
    return list(dict.fromkeys((*shared_sections(verb), *long)))


def _sections(verb: str, keys: Sequence[Key], columns: int) -> list[str]:
    """The names of the keys that are alike for every choice; `--cfg job` shows the others too."""
    all_choices = groups([shipped_folder()])
    only = {group: choices for group in primary_groups(verb) if len(choices := list(all_choices[group].values())) == 1}
    sections = {group: [key.name for key in commented_keys(paths[0])] for group, paths in only.items()}
    for section in _together(verb, keys):
        sections[section] = [key.name.rpartition(".")[2] for key in keys if key.section == section]
    return [_some_of(f"{section}.", names, columns) for section, names in sections.items()]


def wrapped(text: str, columns: int, indent: str) -> list[str]:
    """The text in lines, each after the indent."""
    return textwrap.wrap(text, columns, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
