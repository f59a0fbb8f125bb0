"""`attnfocus VERB --help TOPIC`: a group, one of its choices, a section or a key, with type, default and a line."""

from collections.abc import Sequence

from attnfocus.cli.help import fitted, width, wrapped
from attnfocus.cli.remedy import command_text
from attnfocus.config.choice_keys import ChoiceFiles, Option, kind_of_option
from attnfocus.config.folder import description
from attnfocus.config.habits import KEYS
from attnfocus.config.nearest import nearest
from attnfocus.config.primary import primary_groups, primary_keys, usual_choice
from attnfocus.errors import ConfigError

MAX_DEFAULTS = 4  # of one key in different choices


def topic_help(verb: str, topic: str, config_dir: str | None = None) -> str:
    """What there is to say about a topic.

    Raises:
        ConfigError: there is no such group, choice or key; with the nearest.
    """
    files = ChoiceFiles(config_dir) if primary_groups(verb) else None
    name, _, value = topic.rstrip(".").partition("=")
    group = name.split("@")[0].replace(".", "/")
    if files is not None and group in files.choices and (name not in ("trainer",) or value):
        if value and value in files.choices[group]:
            return _of_choice(verb, files, group, value)
        if value:
            near = nearest(value, files.choices[group], count=1)
            line = command_text([verb, "--help", f"{group}={near[0]}"]) if near else ""
            raise ConfigError(f"{topic}: no such choice. attnfocus {verb} --help {group} shows all.", line)
        return _of_group(verb, files, group)
    options = _of_verb(verb)
    if files is not None:
        found = [option for option in options if _is_about(option.name, name)] or _in_choices(files, name)
    else:
        found = [option for option in options if _is_about(option.name, name)]
    if found:
        return "\n".join([name, *_lines(found)])
    of_choice = [] if files is None else _with_choice(files, topic)
    if files is not None and of_choice:
        others = [command_text([verb, "--help", f"{other}={topic}"]) for other in of_choice[1:]]
        return "\n".join([_of_choice(verb, files, of_choice[0], topic), *(f"Also: {line}" for line in others)])
    raise _unknown(verb, topic, name, [*(option.name for option in options), *_names(files)], files)


def _is_about(key: str, topic: str) -> bool:
    return key == topic or key.startswith(f"{topic}.")


def _of_verb(verb: str) -> list[Option]:
    """The keys that a verb has itself."""
    return [
        Option(key.name, key.default, key.comment, kind_of_option(verb, key.name, {})) for key in primary_keys(verb)
    ]


def _of_group(verb: str, files: ChoiceFiles, group: str) -> str:
    """Its choices with a line each, and the keys of the usual one where all have the same."""
    columns, usual = width(), usual_choice(verb, group)
    lines = [f"{group}=CHOICE" + (f"; {usual} where nothing is chosen" if usual else "")]
    choices = files.choices[group]
    longest = max(map(len, choices))
    lines += [fitted(f"  {name:<{longest}}  {description(path)}".rstrip(), columns) for name, path in choices.items()]
    example = usual if usual in choices else next(iter(choices))
    lines += ["", f"The keys of one: {command_text([verb, '--help', f'{group}={example}'])}"]
    parts = [other for other in files.choices if other.startswith(f"{group}/")]
    if parts:
        lines.append(f"Its parts: {', '.join(f'{part}=' for part in parts)}")
    return "\n".join(lines)


def _with_choice(files: ChoiceFiles, choice: str) -> list[str]:
    """The groups that have a choice, whole ones before parts of others."""
    found = [group for group, choices in files.choices.items() if choice in choices and not group.startswith("hydra")]
    return sorted(found, key=lambda group: (group.count("/"), group))


def _near_choice(files: ChoiceFiles | None, name: str) -> list[str]:
    """`GROUP=CHOICE` of the choice that has another name in the field, or one like it."""
    if files is None:
        return []
    all_choices = dict.fromkeys(choice for choices in files.choices.values() for choice in choices)
    near = next((choice for choice in nearest(name, all_choices) if _with_choice(files, choice)), None)
    return [] if near is None else [f"{_with_choice(files, near)[0]}={near}"]


def _of_choice(verb: str, files: ChoiceFiles, group: str, choice: str) -> str:
    options = files.options(group, choice)
    return "\n".join([f"{group}={choice}", description(files.choices[group][choice]), *_lines(options)])


def _in_choices(files: ChoiceFiles, topic: str) -> list[Option]:
    """The keys of choices that a topic is about; those of several choices once, with all their defaults."""
    found: dict[str, dict[str, list[Option]]] = {}
    own = topic.split(".")[0]
    groups = [group for group in files.choices if not group.startswith(("experiment", "hydra", "search"))]
    for group in sorted(groups, key=lambda group: group.split("/")[0] != own):  # its own lines come first
        usual = usual_choice("train", group)
        for choice in sorted(files.choices[group], key=lambda choice: choice != usual):
            for option in files.options(group, choice):
                if _is_about(option.name, topic):
                    found.setdefault(option.name, {}).setdefault(option.default, []).append(option)
    return [_merged(by_default) for by_default in found.values()]


def _merged(by_default: dict[str, list[Option]]) -> Option:
    options = [option for options in by_default.values() for option in options]
    first, *others = by_default
    more = ", ..." if len(others) > MAX_DEFAULTS else ""
    shown = f"{first}; {', '.join(others[:MAX_DEFAULTS])}{more} with other choices" if others else first
    kind = next((option.kind for option in options if option.kind), "")
    return Option(options[0].name, shown, options[0].comment, kind)


def _names(files: ChoiceFiles | None) -> list[str]:
    if files is None:
        return []
    names = dict.fromkeys(files.choices)
    for group in ("trainer", "optimizer", "scheduler", "model", "dataset"):
        for choice in files.choices[group]:
            names |= dict.fromkeys(option.name for option in files.options(group, choice))
    return list(names)


def _lines(options: Sequence[Option]) -> list[str]:
    """Two lines for each, or more: key, default and type; then what it is."""
    columns = width()
    lines = []
    for option in options:
        head = f"  {option.name}={option.default}"
        kind = f"({option.kind})" if option.kind else ""
        lines += (
            [f"{head}  {kind}".rstrip()]
            if len(head) + len(kind) + 2 <= columns or not kind
            else [head, *wrapped(kind, columns, "      ")]
        )
        lines += wrapped(option.comment, columns, "      ")
    return lines


def _unknown(verb: str, topic: str, name: str, known: Sequence[str], files: ChoiceFiles | None) -> ConfigError:
    meant = [ours for ours in KEYS.get(name.rsplit(".", 1)[-1].lower(), ()) if ours in known]
    last = {key.rsplit(".", 1)[-1]: key for key in reversed(known)}
    near = meant or nearest(name, known, count=1) or _near_choice(files, name)
    near = near or [last[key] for key in nearest(name, last, count=1)]
    line = command_text([verb, "--help", near[0]]) if near else command_text([verb, "--help"])
    return ConfigError(f"{topic}: no such group, choice or key of {verb}.", line)
