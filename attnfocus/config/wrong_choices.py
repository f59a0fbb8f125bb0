"""A choice of a group that there is not: what is nearest, what the field means by the name, or a file of the user's."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override

from attnfocus.config.absences import ABSENCES, CELLS, NO_SYNONYMS, OF_CELLS
from attnfocus.config.habits import DATA_FILE, REMARKS
from attnfocus.config.nearest import MAX_LISTED, choices_text, nearest
from attnfocus.config.option_tables import shipped_tables
from attnfocus.config.override_text import values_of
from attnfocus.config.synonyms import SYNONYMS
from attnfocus.config.yaml_files import read_yaml
from attnfocus.errors import Problem
from attnfocus.own_files import LABEL_COLUMNS, TEXT_COLUMNS

Groups = Mapping[str, Mapping[str, Path]]

NEAR_LISTED = 8  # choices in a line where one is near to what was typed
MAX_HEADER = 1000  # characters
# Names that are too weak to be used unasked, as `own_files` has them, but good enough for a line to be read and typed.
OTHER_TEXTS, OTHER_LABELS = "title", "stars target_label"
PAIRED, LABELLED = "parallel_text", "labelled_text"


def choice_problems(override: Override, choices: Groups, chosen: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the choices that an override makes of its group; empty where all are there.

    Args:
        choices: group -> choice -> file.
        chosen: group -> choice, of the whole command line.
    """
    group = override.key_or_group
    known, values = choices[group], values_of(override)
    meant = {value: _meant(group, value, choices, chosen) for value in values if value not in known}
    key = override.get_key_element()
    problems = []
    for value, names in meant.items():
        if group == "dataset" and (DATA_FILE.fullmatch(value) or Path(value).is_file()):
            instead = own_data(value, choices, chosen)
            alone = instead if len(values) == 1 else None
            text = f"{group}={value}: is a file. To use your own table, write {' '.join(instead)}."
            problems.append(Problem(text, key, alone))
            continue
        if value.lower() in REMARKS:
            others = [each for each in values if each != value]
            left = [f"{key}=[{','.join(others)}]"] if others else []
            problems.append(Problem(f"{group}={value}: {REMARKS[value.lower()]}. Leave it out.", key, left))
            continue
        monitor = nearest(value, shipped_tables().all_monitors(), count=1) if group == "metric" and not names else []
        if monitor:
            text = f"{group}={value}: {monitor[0]} is always measured; trainer.monitor={monitor[0]} decides by it."
            problems.append(Problem(text, key, [f"trainer.monitor={monitor[0]}"]))
            continue
        is_last = value == list(meant)[-1]  # after which what there is is listed, once
        why, beside = _reason(group, value, names, choices, chosen)
        listed = choices_text(value, known, NEAR_LISTED if names else MAX_LISTED)
        rest = "" if len(known) <= (NEAR_LISTED if names else MAX_LISTED) else f": attnfocus train --help {group}"
        is_listed = is_last and value.lower() not in ABSENCES.get(group, {})
        there_are = f" There are: {listed}{rest}." if is_listed else ""
        typed = _typed_instead(override, value, meant)
        problems.append(
            Problem(f"{group}={value}: {why}{there_are}", key, None if typed is None else [*typed, *beside])
        )
    return problems


def _typed_instead(override: Override, value: str, meant: Mapping[str, Sequence[str]]) -> list[str] | None:
    """What is typed in the place of an override, one of whose values is none; None where nobody can know.

    Args:
        meant: value that there is not -> the choices that it can mean.
    """
    group, values = override.key_or_group, values_of(override)
    absence = ABSENCES.get(group, {}).get(value.lower())
    if absence is not None and absence.is_open:
        return None
    if absence is not None and absence.instead and len(values) == 1:
        return list(absence.instead)
    mended = [(meant[each] or [""])[0] if each in meant else each for each in values]
    if not all(mended):
        return None
    text = ",".join(mended) if override.is_sweep_override() else mended[0]
    return [f"{override.get_key_element()}={f'[{text}]' if isinstance(override.value(), list) else text}"]


def _reason(
    group: str, value: str, names: Sequence[str], choices: Groups, chosen: Mapping[str, str]
) -> tuple[str, list[str]]:
    """Why a choice is none, and what its nearest one, the first of `names`, needs beside it."""
    word, beside = value.lower(), []
    absence = ABSENCES.get(group, {}).get(word)
    if group == "dataset" and names and "model" not in chosen and absence is None:
        task = _task_of_dataset(names[0], choices)
        beside = ["model=transformer"] if task == "classification" else []
    if absence is not None:
        needed = [f"{other}={choice}" for other, choice in absence.beside.items() if other not in chosen]
        return f"{absence.why.replace('{}', value)}.", [*beside, *needed]
    if group == "model" and word in CELLS and names:
        cell = CELLS[word]
        uses = " ".join(f"To {OF_CELLS[name]}: model={name} model.cell={cell}." for name in names if name in OF_CELLS)
        return f"{cell} is no model here, but the cell of one. {uses}", [f"model.cell={cell}"]
    if word in NO_SYNONYMS.get(group, ()) and names:
        return f"attnfocus has no {group} {value}; the most similar is {names[0]}.", beside
    hint = f" Did you mean {' or '.join(names[:2])}?" if names else ""
    return f"no such choice.{hint}", beside


def _meant(group: str, value: str, choices: Groups, chosen: Mapping[str, str]) -> list[str]:
    """The choices that a name can mean, those first that fit what else is chosen."""
    known = choices[group]
    same = [name for name in known if name.lower() == value.lower()]
    if same:
        return same
    meant = [name for name in SYNONYMS.get(value.lower(), ()) if name in known]
    if not meant:
        return nearest(value, known, count=1)
    if group == "attention" and value.lower() in ABSENCES["attention"] and "model" not in chosen:
        chosen = {**chosen, **ABSENCES["attention"][value.lower()].beside}
    fitting = [name for name in meant if _fits(group, name, choices, chosen)]
    if group == "model" and fitting and "dataset" in chosen:
        return fitting
    return [*fitting, *(name for name in meant if name not in fitting)]


def _fits(group: str, name: str, choices: Groups, chosen: Mapping[str, str]) -> bool:
    """Whether a choice is the usual one beside the other choices."""
    if group == "model":
        task = _task_of_dataset(chosen.get("dataset", ""), choices)
        return task is not None and task == task_of_model(name, choices)
    if group == "attention":
        return (name == "multi_head") == chosen.get("model", "").startswith("transformer")
    if group == "dataset":
        task = task_of_model(chosen.get("model", "seq2seq"), choices)
        return task is not None and task == _task_of_dataset(name, choices)
    return True


def task_of_model(name: str, choices: Groups) -> str | None:
    """That of the data which a model runs on when none is named; None for a model that is not there."""
    path = choices.get("model", {}).get(name)
    for entry in [] if path is None else read_yaml(path).get("defaults", []):
        if isinstance(entry, dict) and "override /dataset" in entry:
            return _task_of_dataset(str(entry["override /dataset"]), choices)
    return None


def _task_of_dataset(name: str, choices: Groups) -> str | None:
    path = choices.get("dataset", {}).get(name)
    section = {} if path is None else read_yaml(path).get("dataset", {})
    return section.get("task") if isinstance(section, dict) else None


def own_data(file: str, choices: Groups, chosen: Mapping[str, str]) -> list[str]:
    """The overrides that train on a file: labelled texts or pairs, as the model or else the header says."""
    columns = own_columns(Path(file).expanduser())
    task = task_of_model(chosen.get("model", ""), choices)
    is_labelled = task == "classification" or (task is None and ("label_column" in columns or ".csv" in file.lower()))
    found = [f"dataset={LABELLED if is_labelled else PAIRED}", f"dataset.train={file}"]
    if is_labelled and len(columns) == 2:
        found += [f"dataset.{key}={name}" for key, name in columns.items()]
    if is_labelled and "model" not in chosen:
        found.insert(0, "model=transformer")
    return found


def own_columns(path: Path) -> dict[str, str]:
    """`text_column` and `label_column` of a table whose first line says them; a key that it does not say is missing.

    Of several columns that may be meant, the one with the likeliest name.
    """
    names = {name.casefold(): name for name in _columns(path)}
    wanted = {"text_column": f"{TEXT_COLUMNS} {OTHER_TEXTS}", "label_column": f"{LABEL_COLUMNS} {OTHER_LABELS}"}
    found = {key: [names[name] for name in known.split() if name in names] for key, known in wanted.items()}
    return {key: fitting[0] for key, fitting in found.items() if fitting}


def _columns(path: Path) -> Sequence[str]:
    """The names in the first line of a table; empty where that cannot be seen at once."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            header = lines.readline(MAX_HEADER).strip()
    except (OSError, ValueError):
        return []
    cells = re.split(r"[,;\t]", header)
    names = [cell.strip().strip('"') for cell in cells]
    return names if all(re.fullmatch(r"\w+", name) for name in names) else []
