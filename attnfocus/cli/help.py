"""What `attnfocus` and `attnfocus VERB --help` print, made from the verbs' rooms and the YAML files."""

import shutil
import textwrap

from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config.folder import config_folders, description, groups, shipped_folder
from attnfocus.config.primary import Key, commented_keys, primary_file, primary_groups, primary_keys, shared_sections
from attnfocus.version import __version__

SWEEP_FLAG = ("-m, --multirun", "run every combination of key=a,b,c")  # of the verbs that sweep
FLAGS = (
    ("--cfg job", "print every key and stop (--resolve, -p SECTION)"),
    ("--config-dir DIR", "your groups: DIR/dataset/mine.yaml gives dataset=mine"),
    ("--debug", "show tracebacks"),
    ("--hydra-help", "Hydra's own flags"),
)


def flags_of(verb: str) -> list[tuple[str, str]]:
    """The flags that a verb takes, with a line each."""
    facts = facts_of(verb)
    own = [(name, flag.help) for name, flag in facts.flags.items()]
    return [*([SWEEP_FLAG] if facts.sweeps else []), *own, *FLAGS]


def summary(verb: str) -> str:
    """What a verb does, in a line."""
    text = description(primary_file(verb))
    return text[:1].lower() + text[1:]


def overview(config_dir: str | None = None) -> str:
    """The verbs, and every group's choices with one line each, those of the user's own folder among them."""
    lines = [f"attnfocus {__version__}: train attention models, and see where they look", ""]
    lines += ["attnfocus VERB [group=choice] [key=value] ...", ""]
    lines += [f"  {verb:<10} {summary(verb)}" for verb in VERBS]
    for group, choices in groups(config_folders(config_dir)).items():
        lines += ["", f"{group}="]
        lines += [f"  {choice:<20} {description(path)}".rstrip() for choice, path in choices.items()]
    lines += ["", 'attnfocus VERB --help shows the keys. Tab completion: eval "$(attnfocus -sc install=bash)"']
    return "\n".join(lines)


def verb_help(verb: str, config_dir: str | None = None) -> str:
    """One screen: usage, choices, the verb's own keys, flags, examples."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    facts, keys = facts_of(verb), primary_keys(verb)
    lines = [f"attnfocus {verb} {facts.usage}", summary(verb)]
    if primary_groups(verb):  # then there are too many keys for one screen
        lines += _choices(width, config_dir)
        lines += _sections(verb, keys, width)
        shared = shared_sections(verb)
        keys = [key for key in keys if key.name not in shared and key.section not in shared]
    lines += ["", "keys"]
    lines += [f"  {f'{key.name}={_shown(key.default)}':<34} {key.comment}" for key in keys]
    lines += ["", "flags"]
    lines += [f"  {flag:<34} {text}" for flag, text in flags_of(verb)]
    lines += ["", "examples"]
    lines += [f"  {example}" for example in facts.examples]
    return "\n".join(lines)


def _shown(default: str) -> str:
    return "" if "${" in default or default in ("null", "[]") else default


def _choices(width: int, config_dir: str | None) -> list[str]:
    lines = ["groups"]
    for group, choices in groups(config_folders(config_dir)).items():
        if len(choices) > 1:
            text = f"  {group:<21} {', '.join(choices)}"
            lines += textwrap.wrap(text, width, subsequent_indent=" " * 24)
    return [*lines, ""]


def _sections(verb: str, keys: list[Key], width: int) -> list[str]:
    """The names of the keys that are alike for every choice; `--cfg job` shows the others too."""
    shown: list[str] = []
    all_choices = groups([shipped_folder()])
    only = {group: choices for group in primary_groups(verb) if len(choices := list(all_choices[group].values())) == 1}
    sections = {group: [key.name for key in commented_keys(paths[0])] for group, paths in only.items()}
    for section in shared_sections(verb):
        sections[section] = [key.name.rpartition(".")[2] for key in keys if key.section == section]
    for section, names in sections.items():
        text = f"  {f'{section}.':<21} {', '.join(names)}"
        shown += textwrap.wrap(text, width, subsequent_indent=" " * 24)
    return shown
