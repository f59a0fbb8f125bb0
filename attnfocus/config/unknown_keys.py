"""What is wrong with a key of the command line, given the configuration that it would change."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from attnfocus.config.folder import optional_groups
from attnfocus.config.habits import DATA_FILE, KEY_NOTES, KEYS, LAST_OF_RUN, REMARKS, instead_of
from attnfocus.config.nearest import choices_text, nearest
from attnfocus.config.override_text import values_of
from attnfocus.config.primary import commented_keys, primary_groups, primary_keys
from attnfocus.config.wrong_choices import PAIRED, own_data
from attnfocus.errors import Problem

MAX_SIBLINGS = 40  # keys of a section that are all shown
NAMING = ("name", "type", "kind", "class", "cls", "choice", "arch")  # by which other tools choose what a section is
SIDES = {
    "source": ("src", "source", "src_file", "source_file", "src_lang", "source_lang"),
    "target": ("tgt", "target", "trg", "tgt_file", "target_file", "tgt_lang", "target_lang"),
}
OF_RUNS = ("evaluate", "predict", "inspect", "report")  # verbs that ask a run
FLAGS = ("-m", "--debug", "--config-dir=")  # of the command line, which a switch of another tool may stand for


class KeyFinder:
    """Finds what an unknown key means in one composed configuration.

    Args:
        config: the composed configuration of a verb.
        choices: group -> choice -> file, of a verb that has groups.
        chosen: group -> choice, of those that were typed.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        choices: Mapping[str, Mapping[str, Path]],
        verb: str,
        chosen: Mapping[str, str] | None = None,
    ) -> None:
        self.config, self.choices, self.verb, self.chosen = config, choices, verb, chosen or {}

    def problem(self, key: str, value: str = "") -> Problem | None:
        """What is wrong with `key`, to which `value` is given as it was typed; None where it is there."""
        node: Any = self.config
        parts = key.replace("/", ".").split(".")
        for depth, part in enumerate(parts):
            if isinstance(node, Mapping) and part in node:
                node = node[part]
                continue
            if isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
                continue
            group = "/".join(parts[:depth])
            is_optional = group in optional_groups() and isinstance(node, Mapping)
            if is_optional and (not node or part in self.choices.get(group, ())):
                names = ",".join([*node, part])
                chosen = f"{group}={names if not node else f'[{names}]'}"
                return Problem(f"{key}: {part} is not chosen. Add {chosen}.", key, [chosen, f"{key}={value}"])
            siblings = list(node) if isinstance(node, Mapping) else []
            return self._explained(key, value, parts, depth, siblings)
        return None

    def _explained(self, key: str, value: str, parts: Sequence[str], depth: int, siblings: Sequence[str]) -> Problem:
        """`depth`: of the first part that is not there, in whose place there are `siblings`."""
        above, wrong = parts[:depth], parts[depth]
        prefix, names = ".".join(above), [*siblings, *(() if depth else self.choices)]
        names = [name for name in dict.fromkeys(names) if name != "_target_"]
        if above and not siblings:
            why = f"unknown key. {prefix} is a single value: write {prefix}=..."
            return Problem(f"{key}: {why}", key, [f"{prefix}={value}"])
        of_side = None if depth else self._of_side(key, value)
        if of_side is not None:
            return of_side
        switched = self._switched(parts[-1], value) if depth == len(parts) - 1 or not depth else None
        if switched is not None:
            remark = REMARKS.get(parts[-1])
            do = f"Write {' '.join(switched)}" if switched else "Leave it out"
            return Problem(f"{key}: unknown key{f'; {remark}' if remark else ''}. {do}.", key, switched)
        group = "/".join(above)
        if group in self.choices and depth == len(parts) - 1 and wrong in NAMING:
            return Problem(f"{key}: unknown key. Choose with {group}={value}.", key, [f"{group}={value}"])
        of_others = self._of_other_choices(key, value, group, parts[depth:])
        if of_others is not None:
            return of_others
        meant = self._meant(parts, depth, names)
        if meant is not None:
            found = self._switched(meant, value) or [f"{meant}={value}"]
            note = f" {KEY_NOTES[meant]}." if meant in KEY_NOTES else ""
            return Problem(f"{key}: unknown key. Did you mean {meant}?{note}", key, found)
        of_run = self._of_run(key, value) if self.verb == "train" else None
        if of_run is not None:
            return of_run
        of_train = self._of_train(parts)
        if parts[-1] in REMARKS and not of_train:
            return Problem(f"{key}: unknown key. {REMARKS[parts[-1]]}.", key)
        where = f"{prefix} has" if prefix else f"{self.verb} has"
        listed = choices_text(wrong, names, MAX_SIBLINGS) or "no keys"
        return Problem(f"{key}: unknown key. {of_train}{where}: {listed}.", key, [] if of_train else None)

    def _of_other_choices(self, key: str, value: str, group: str, rest: Sequence[str]) -> Problem | None:
        """What is said of a key that other choices of its group have."""
        if len(rest) > 1:
            return None
        (name,) = rest
        with_it = [choice for choice, path in self.choices.get(group, {}).items() if _has_key(path, name)]
        if not with_it:
            return None
        if key == "dataset.train" and group not in self.chosen:
            instead = own_data(value, self.choices, self.chosen)
            text = f"{key}: to use your own file, write dataset=labelled_text or dataset=parallel_text."
            return Problem(text, key, instead)
        whole = group.partition("/")[0]
        without = self.chosen.get(group) or self.chosen.get(whole) or f"this {whole}"
        use = f"{group}={' or '.join(with_it[:3])}"
        return Problem(f"{key}: {without} has no {name}. Remove it, or use {use}.", key, [])

    def _of_side(self, key: str, value: str) -> Problem | None:
        """What is said of `src=` and `tgt=`: files of lines, or columns of a table of pairs."""
        side = next((side for side, words in SIDES.items() if key.lower() in words), "")
        if self.verb != "train" or not side or not value:
            return None
        is_chosen = self._has("dataset.train_target")
        if "/" in value or DATA_FILE.fullmatch(value) or Path(value).is_file():
            ours = "dataset.train" if side == "source" else "dataset.train_target"
            added = [] if is_chosen or side == "target" else [f"dataset={PAIRED}"]
            text = f"{key}: unknown key. For two files of lines, write dataset={PAIRED} dataset.train= and "
            return Problem(f"{text}dataset.train_target=.", key, [*added, f"{ours}={value}"])
        if is_chosen:
            return None
        text = (
            f"{key}: unknown key. For your own pairs, write dataset={PAIRED} dataset.train=FILE dataset.{side}_column="
        )
        return Problem(f"{text}{value}.", key)

    def _of_run(self, key: str, value: str) -> Problem | None:
        """What is said of a key of the verbs that ask a run."""
        verbs = [verb for verb in OF_RUNS if key in {known.name for known in primary_keys(verb)}]
        if not verbs:
            return None
        line = f"attnfocus {verbs[0]} run=latest {shlex.quote(f'{key}={value}')}"
        return Problem(f"{key}: not a key of train, but of {', '.join(verbs)}. After training: {line}", key, [])

    def _of_train(self, parts: Sequence[str]) -> str:
        """What is said of a key of `train` that another verb is given."""
        of_habit = next((ours for ours in KEYS.get(parts[-1], ()) if "." in ours), "")
        meant = ".".join(parts) if parts[0] in primary_groups("train") else of_habit
        if primary_groups(self.verb) or not meant:  # `train`, or composes what would be trained, as `data` does
            return ""
        kept = ": a run keeps what it was trained with" if "run" in self.config else ""
        return f"{self.verb} trains nothing, so it takes no {meant}{kept}. Leave it out. "

    def _switched(self, word: str, value: str) -> list[str] | None:
        """What is typed here for a switch of other tools; None where it is none, or not of this verb."""
        texts = instead_of(word.lower(), value)
        if texts is None or not all(text.startswith(FLAGS) or self._has(text.split("=")[0]) for text in texts):
            return None
        return list(texts)

    def _meant(self, parts: Sequence[str], depth: int, names: Sequence[str]) -> str | None:
        """The key that is meant: in the same section if there is one, else by the name of its last part, anywhere."""
        above, wrong, last = ".".join(parts[:depth]), parts[depth], parts[-1]
        habits = [ours for ours in KEYS.get(last.lower(), ()) if self._has(ours)]
        if not primary_groups(self.verb):
            habits.sort(key=lambda ours: LAST_OF_RUN.index(ours) + 1 if ours in LAST_OF_RUN else 0)
        here = [ours for ours in habits if ours.startswith(f"{above}.")] if above else habits
        if here and depth in (0, len(parts) - 1):
            return here[0]
        paths = [path for path in _paths(self.config) if not above or path.startswith(f"{parts[0]}.")]
        elsewhere = [path for path in paths if path.rsplit(".", 1)[-1] == last]
        if elsewhere and len(parts) == 1:  # the very name before one like it
            return elsewhere[0]
        for name in nearest(wrong, names):
            path = ".".join([*parts[:depth], name, *parts[depth + 1 :]])
            if self._has(path):
                return path
        if elsewhere or (above and depth == len(parts) - 1 and above.replace(".", "/") in self.choices and not habits):
            return elsewhere[0] if elsewhere else None
        if habits:
            return habits[0]
        if len(last) < 4:
            return None
        near = nearest(last, [path.rsplit(".", 1)[-1] for path in paths], count=1)
        return next((path for path in paths if near and path.rsplit(".", 1)[-1] == near[0]), None)

    def _has(self, path: str) -> bool:
        if path in self.choices:
            return True
        node: Any = self.config
        for part in path.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return False
            node = node[part]
        return True


def node_problem(override: Override, config: Mapping[str, Any], choices: Mapping[str, Any]) -> Problem | None:
    """What is wrong with a plain value given to a node of keys (`dataset.tokenizer=bpe`), or None."""
    parts = override.key_or_group.replace("/", ".").split(".")
    node: Any = config
    for part in parts:
        node = node[int(part)] if isinstance(node, list) else node[part]
    plain = [text for text in values_of(override) if not text.startswith("{")]
    names = [name for name in node if name != "_target_"] if isinstance(node, Mapping) else []
    if not names or not plain:
        return None
    key, group, value = ".".join(parts), "/".join(parts), plain[0]
    if group in choices:
        return Problem(f"{key}: is not one value; choose with {group}={value}.", key, [f"{group}={value}"])
    kind = str if override.is_sweep_override() else type(override.value())
    example = next((name for name in names if type(node[name]) is kind), names[0])
    set_one = f"{key}.{example}={value}"
    instead = None if override.is_sweep_override() or value == "null" else [set_one]
    return Problem(
        f"{key}={value}: {key} is not one value; its keys: {', '.join(names)}. Set one, as in {set_one}.", key, instead
    )


def _has_key(path: Path, name: str) -> bool:
    return any(key.name.removeprefix("dataset.").removeprefix("model.") == name for key in commented_keys(path))


def _paths(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in node.items():
        path = f"{prefix}{name}"
        yield path
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")
