"""Words of a command line that are none of ours: a verb in another place, `--lr 0.1`, `model seq2seq`, a bare path.

None is accepted. Each is answered with what is typed here, which is what follows: the rest of the checks look at the
words as they were meant, so that one answer says everything.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from attnfocus.cli.remedy import command_text
from attnfocus.cli.verbs import VERBS, facts_of
from attnfocus.config import habits
from attnfocus.config.folder import config_folders, groups
from attnfocus.config.habits import DATA_FILE, KEYS, PHRASE_REMARKS, PHRASES, SWITCHES
from attnfocus.config.nearest import nearest
from attnfocus.config.option_tables import shipped_tables
from attnfocus.config.primary import primary_groups, primary_keys
from attnfocus.config.synonyms import SYNONYMS
from attnfocus.errors import ConfigError

FLAGS = {"-m", "--multirun", "--resolve", "--hydra-help", "-r", "--run", "-h", "--help", "--version", "--debug"}
VALUE_FLAGS = {"-c", "--cfg", "-p", "--package", "-cd", "--config-dir", "-cp", "--config-path", "-cn", "--config-name"}
VALUE_FLAGS |= {"-i", "--info", "-sc", "--shell-completion", "--experimental-rerun"}
FOREIGN_FLAG = re.compile(r"--?([A-Za-z][\w.-]*)(=.*)?", re.DOTALL)
OVERRIDE = re.compile(r"[+~]*[A-Za-z_][\w.@/]*=.*|[+~]+\w.*", re.DOTALL)
RUN_FLAGS = ("-r", "--run")
BLANKS = re.compile(r"[A-Za-z_][\w.@/]*(\s+=\s*|=\s+)\S.*", re.DOTALL)
DRY = ("dry_run", "dryrun", "print_config", "show_config")
HELP_WORDS = ("help", "-help", "?", "usage", "man")
NAMED_FIRST = ("model", "attention", "dataset", "optimizer", "scheduler")  # groups, by which a bare choice is known


@dataclass
class Words:
    """A command line as it was meant, and what is wrong with it as it was typed.

    Attributes:
        verb: empty where it is not known.
        words: what follows the verb.
        problems: one line each.
        is_known: whether `words` has something in the place of all that was wrong.
    """

    verb: str
    words: list[str]
    problems: list[str] = field(default_factory=list)
    is_known: bool = True


def with_verb(arguments: Sequence[str]) -> Words:
    """Finds the verb: the first word, or what was meant by it, or one further behind.

    Raises:
        ConfigError: a word for something that is no verb here; or nobody knows which verb is meant.
    """
    first, rest = arguments[0], list(arguments[1:])
    if first in VERBS:
        return Words(first, rest)
    if first == "attnfocus" and rest:
        line = with_verb(rest)
        line.problems.insert(0, "attnfocus: the name of the command stands once.")
        return line
    if first in HELP_WORDS:
        about = [word for word in rest if word in VERBS][:1]
        raise ConfigError(
            f"{first}: help is a flag, --help.", command_text([*about, "--help", *rest[1 if about else 0 :]])
        )
    is_choice = _names_choice(arguments)
    if first in PHRASES and not is_choice:
        phrase = PHRASES[first]
        if "={}" in phrase:
            phrase = phrase.replace("{}", rest.pop(0) if rest and "=" not in rest[0] else "latest")
        words = [*phrase.replace("{}", "").split(), *rest]
        raise ConfigError(f"{first}: no such command.{_remark_of(PHRASES[first])}", command_text(words))
    later = [word for word in arguments if word in VERBS]
    if later:
        others = list(arguments)
        others.remove(later[0])
        return Words(later[0], others, [f"{later[0]}: the command comes first."])
    if first.lstrip("-") in VERBS:
        return Words(first.lstrip("-"), rest, [f"{first}: a command is written without dashes."])
    if is_choice:
        words = [*(["-m"] if first == "search" else []), *arguments]
        return Words("train", words, [f"{first}: a command comes first: {', '.join(VERBS)}."])
    if first.startswith("-") or OVERRIDE.fullmatch(first):
        verb = "evaluate" if any(word.startswith("run=") for word in arguments) else "train"
        problem = f"{first}: a command comes first: {', '.join(VERBS)}."
        return Words(verb, list(arguments), [] if first.startswith("-") else [problem])  # the flag's own answer says it
    meant = [verb for verb in habits.VERBS.get(first.lower(), ()) if verb in VERBS] or nearest(first, VERBS, count=1)
    if meant:
        return Words(
            meant[0], rest, [f"{first}: no such command. Did you mean {meant[0]}? There are: {', '.join(VERBS)}."]
        )
    if DATA_FILE.fullmatch(first) or _choice(first, None):
        return Words("train", list(arguments), [f"{first}: a command comes first: {', '.join(VERBS)}."])
    if Path(first).exists() or "/" in first:
        is_folder = Path(first).is_dir() and not (Path(first) / "config.yaml").is_file()
        return Words(
            "list" if is_folder else "evaluate",
            list(arguments),
            [f"{first}: a command comes first: {', '.join(VERBS)}."],
        )
    raise ConfigError(
        f"{first}: no such command. There are: {', '.join(VERBS)}. `attnfocus` alone says what each does."
    )


def as_meant(line: Words, config_dir: str | None) -> Words:
    """The words after the verb, those of other tools in our way of writing.

    Raises:
        ConfigError: help was asked for, which is a flag.
    """
    if all(_is_ours(word) for word in line.words) and not _has_empty_value(line.words):
        return line
    return _Reader(line, config_dir).read()


def _is_ours(word: str) -> bool:
    return word in FLAGS or OVERRIDE.fullmatch(word) is not None


def _has_empty_value(words: Sequence[str]) -> bool:
    return any(word.endswith("=") for word in words)


class _Reader:
    """Goes once through the words after a verb."""

    def __init__(self, line: Words, config_dir: str | None) -> None:
        self.verb, self.facts = line.verb, facts_of(line.verb)
        self.config_dir = config_dir
        self.given = list(line.words)
        self.made = Words(line.verb, [], list(line.problems), line.is_known)
        self.texts: list[str] = []  # bare words that can only be a text
        self.flags: list[str] = []  # of other tools

    def read(self) -> Words:
        while self.given:
            self._take(self.given.pop(0))
        if self.texts:
            self._take_texts()
        if self.flags:
            self.made.problems.append(
                f"{', '.join(self.flags)}: options are written key=value, after a command such as {self.verb}."
            )
        if self.made.problems and self.facts.run_key == "run" and not any(map(self._names_run, self.made.words)):
            self.made.words.insert(0, "run=latest")  # only below a mistake, as part of the line to paste
        return self.made

    def _take(self, word: str) -> None:
        if word in VALUE_FLAGS:
            self.made.words += [word, *self.given[:1]]
            del self.given[:1]
        elif word in RUN_FLAGS and self._has_key("run") and self._next_is_value():
            self._take_flag("--run")  # Hydra has a flag of this name, which nobody needs
        elif word.startswith(tuple(f"{flag}=" for flag in VALUE_FLAGS)) or word in (*FLAGS, *self.facts.flags):
            self.made.words.append(word)
        elif FOREIGN_FLAG.fullmatch(word):
            self._take_flag(word)
        elif self.given and "=" not in word and self.given[0].startswith("="):
            value = self.given.pop(0)[1:] or (self.given.pop(0) if self.given else "")
            self._slip(f"{word} =: no spaces around =.", f"{word}={value}")
        elif word.endswith("=") and OVERRIDE.fullmatch(word) and self._next_is_value():
            self._slip(f"{word}: no spaces around =.", word + self.given.pop(0))
        elif BLANKS.fullmatch(word):
            key, _, value = word.partition("=")
            self._slip(f"{word}: no spaces around =.", f"{key.strip()}={value.strip()}")
        elif OVERRIDE.fullmatch(word) or "=" in word:
            self.made.words.append(word)
        else:
            self._take_bare(word)

    def _take_flag(self, word: str) -> None:
        match = FOREIGN_FLAG.fullmatch(word)
        assert match is not None
        name, value = match[1].replace("-", "_"), match[2]
        if name in ("help", "h"):
            raise ConfigError(
                f"{word}: help is a flag, --help.", command_text([self.verb, "--help", (value or "=")[1:]])
            )
        if name in DRY:
            self._slip(f"{word}: is --cfg job here.", "--cfg", "job")
            return
        if value is None:
            value = f"={self.given.pop(0)}" if self._next_is_value() else "=true"
        if name.startswith("no_") and value == "=true" and name not in SWITCHES:
            name, value = name.removeprefix("no_"), "=false"
        self.flags.append(f"--{match[1]}" if word.startswith("--") else f"-{match[1]}")
        self.made.words.append(f"{name}{value}")

    def _next_is_value(self) -> bool:
        if not self.given:
            return False
        word = self.given[0]
        is_number = re.fullmatch(r"-?[\d.]+(e-?\d+)?", word) is not None
        return is_number or not (word.startswith("-") or OVERRIDE.fullmatch(word) or word in VERBS)

    def _take_bare(self, word: str) -> None:
        name, colon, value = word.partition(":")
        if word in HELP_WORDS and not Path(word).exists():
            topics = [each for each in self.given if not each.startswith("-")][:1]
            raise ConfigError(f"{word}: help is a flag, --help.", command_text([self.verb, "--help", *topics]))
        if colon and self._is_key(name) and (value or self._next_is_value()):
            value = value or self.given.pop(0)
            self._slip(f"{name}: {value}: options are written key=value.", f"{name}={value}")
        elif self.facts.bare:
            self.made.words.append(word)
        elif word in VERBS and not Path(word).exists():
            of_run = " run=latest" if any(key.name == "run" for key in primary_keys(word)) else ""
            self._slip(f"{word}: one command at a time: first attnfocus {self.verb}, then attnfocus {word}{of_run}.")
        elif self._is_key(word) and self._next_is_value():
            value = self.given.pop(0)
            self._slip(f"{word} {value}: options are written key=value.", f"{word}={value}")
        else:
            self._take_value(word)

    def _take_value(self, word: str) -> None:
        """A value whose key can only be one."""
        path = Path(word).expanduser()
        trains = bool(self.facts.named_groups)  # or composes what would be trained, as `data` does
        choice = _choice(word, self.config_dir) if trains else None
        if self.verb == "train" and (path / "config.yaml").is_file():
            self._slip(f"{word}: write resume= before it: resume={word}.", f"resume={word}")
        elif trains and DATA_FILE.fullmatch(word):
            typed = [text.partition("=") for text in (*self.made.words, *self.given)]
            known = groups(config_folders(self.config_dir))
            chosen = {key: value for key, _, value in typed if key in known}
            from attnfocus.config.wrong_choices import own_data  # with Hydra, which help does without

            data = own_data(word, known, chosen)
            self._slip(f"{word}: is a file. To use your own table, write {' '.join(data)}.", *data)
        elif choice:
            self._slip(f"{word}: is a choice of {choice}.", f"{choice}={word}")
        elif self._key_of_value(word):
            key = self._key_of_value(word)
            self._slip(f"{word}: write {key}= before it: {key}={word}.", f"{key}={word}")
        elif not self._has_key("run"):
            self.made.words.append(word)
        elif self._has_key("input") and _is_input(path):
            self._slip(f"{word}: write input= before it: input={word}.", f"input={word}")
        elif self._has_key("dataset.test") and DATA_FILE.fullmatch(path.name):
            self._slip(f"{word}: to test on another file, write dataset.test={word}.", f"dataset.test={word}")
        elif not self._is_given("run") and (
            path.exists() or "/" in word or word == "latest" or not (self._takes_text() or " " in word)
        ):
            self._slip(f"{word}: write run= before it: run={word}.", f"run={word}")
        elif self._takes_text():
            self.texts.append(word)
        else:
            self.made.words.append(word)

    def _key_of_value(self, word: str) -> str:
        """The key of the verb that has the word among its few values."""
        for key in primary_keys(self.verb):
            plain = shipped_tables().plain_option(self.verb, key.name, {})
            literals = str(plain) if isinstance(plain, dict) else ""
            if "literal" in literals and f"'{word}'" in literals and not self._is_given(key.name):
                return key.name
        return ""

    def _takes_text(self) -> bool:
        return self._has_key("text") and not self._is_given("text")

    def _take_texts(self) -> None:
        text = " ".join(self.texts)
        self._slip(f"{text}: write text= before it.", f"text={text}")

    def _has_key(self, name: str) -> bool:
        return any(key.name == name for key in primary_keys(self.verb))

    def _is_given(self, key: str) -> bool:
        return any(word.startswith(f"{key}=") for word in (*self.made.words, *self.given))

    def _names_run(self, word: str) -> bool:
        """Whether an override is `run=`, or by its key a habit or a slip that is answered with it."""
        key, is_override, _ = word.partition("=")
        names = [known.name for known in primary_keys(self.verb)]
        meant = [ours for ours in KEYS.get(key.lower(), ()) if ours in names] or nearest(key, names, count=1)
        return bool(is_override) and (key == "run" or (key not in names and meant[:1] == ["run"]))

    def _is_key(self, word: str) -> bool:
        plain = word.lower()
        known = (*primary_groups(self.verb), *(key.name for key in primary_keys(self.verb)))
        is_dotted = re.fullmatch(r"[a-z_]+(\.[a-z_0-9]+)+", word) is not None and word.split(".")[0] in known
        return word in known or is_dotted or plain in KEYS or plain in SWITCHES

    def _slip(self, problem: str, *meant: str) -> None:
        self.made.problems.append(problem)
        self.made.words += [word for word in meant if word not in self.made.words]


def _names_choice(words: Sequence[str]) -> bool:
    """Whether a line begins with a group and one of its choices, or the field's name for one: `model lstm`."""
    group, _, value = words[0].partition(":")
    known = groups(config_folders(None)).get(group, {})
    value = value or "".join(words[1:2])
    if not known or not value or OVERRIDE.fullmatch(value) or value.startswith("-"):
        return False
    if group not in habits.VERBS or value == "=":
        return True
    return all(name in known or nearest(name, known, count=1) for name in value.split(","))


def _remark_of(phrase: str) -> str:
    """What the command line in the place of a word does."""
    return next((f" {remark}." for part, remark in PHRASE_REMARKS.items() if part in phrase), "")


def _is_input(path: Path) -> bool:
    """Whether a bare word is a file of inputs: by its name, or because it is there and is no part of a run."""
    return DATA_FILE.fullmatch(path.name) is not None or (
        path.is_file() and not (path.parent / "config.yaml").is_file()
    )


def _choice(word: str, config_dir: str | None) -> str | None:
    """The group of which a word is a choice, or the field's name for one."""
    all_choices = groups(config_folders(config_dir))
    for group in NAMED_FIRST:
        known = all_choices.get(group, {})
        if word in known or any(ours in known for ours in SYNONYMS.get(word.lower(), ())):
            return group
    return None
