"""A first row that names the columns: which of them are meant, and what is said where it is read as data."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice

from attnfocus.data.reading.lines import BadRows
from attnfocus.data.reading.tables import Table
from attnfocus.own_files import LABEL_COLUMNS, TEXT_COLUMNS

_TEXT = f"{TEXT_COLUMNS} input inputs"
_LABEL = f"{LABEL_COLUMNS} target"
_SOURCE = "source src sources input inputs 原文 源 源语言 输入"
_TARGET = "target tgt trg targets output outputs translation 译文 目标 目标语言 输出"
_LANGUAGES = """
en de fr es it pt nl pl ru sv cs zh ja ko ar tr
english german french spanish italian portuguese dutch polish russian swedish czech chinese japanese korean
中文 英文 汉语 英语
"""
_USER = "user user_id userid uid customer customer_id session session_id reviewerid 用户"
_ITEM = "item item_id itemid product product_id asin movie movie_id movieid game video song sku 物品 商品"
_OTHERS = """
classes categories title description score answer topic language lang tag id idx index 标题 主题 答案 语言 编号 序号
"""
# What speakers call their languages: such a first row is warned of, but not used, as it was not in runs of before.
_OWN_LANGUAGES = """
deutsch englisch französisch spanisch français anglais allemand español inglés italiano inglese português nederlands
polski svenska русский английский čeština türkçe 日本語 한국어 العربية
"""
_LABEL_KEY = "dataset.label_column"
_MIN_ROWS, _MAX_ROWS = 10, 5000  # that labels are compared in
_MAX_WORDS, _MAX_CHARACTERS = 3, 40  # of a name
_NAMES = frozenset(" ".join((_TEXT, _LABEL, _SOURCE, _TARGET, _LANGUAGES, _OTHERS)).split())
_PAIR = ("dataset.source_column", "dataset.target_column")
# What the two columns of a set are called, the likeliest name first.
_FAMILIES = {
    "dataset.text_column": _TEXT.split(),
    "dataset.label_column": _LABEL.split(),
    "dataset.source_column": _SOURCE.split(),
    "dataset.target_column": _TARGET.split(),
    "dataset.user_column": _USER.split(),
    "dataset.item_column": _ITEM.split(),
}
# What they are called in most sets of the hub: there these come first.
OF_HUB = {
    "dataset.text_column": "text",
    "dataset.label_column": "label",
    "dataset.source_column": "translation.de",
    "dataset.target_column": "translation.en",
}


def meant_columns(cells: Sequence[str], keys: Sequence[str]) -> list[str] | None:
    """The names in a first row that say which columns are meant; None where it does not say that of all keys.

    `text` and `label`, `source` and `target`, or names like these of which each stands there alone; for pairs also two
    names of languages, the first of them the source. Where there are two columns, any two names that people give.

    Args:
        cells: the first row.
        keys: of the columns that are not given.
    """
    names = {cell.strip().casefold(): cell for cell in cells}
    if len(names) < len(cells):
        return None
    found = [_meant(names, _FAMILIES[key]) for key in keys if key in _FAMILIES]
    if len(found) == len(keys) and None not in found and len(set(found)) == len(found):
        return [name for name in found if name is not None]
    if len(cells) == len(keys) == 2 and look_like_names(cells):
        first, second = names
        is_turned = first in _FAMILIES.get(keys[1], ()) or second in _FAMILIES.get(keys[0], ())
        return None if is_turned else list(cells)  # names of another kind, in the order of the keys
    languages = [cell for name, cell in names.items() if name in _LANGUAGES.split()]
    is_pair = tuple(keys) == _PAIR
    return languages if is_pair and len(languages) == 2 else None


def header_notes(tables: Collection[Table]) -> list[str]:
    """One warning when first rows that are read as data look like names, with what would use them as names.

    Nothing is said when `dataset.header` is given, or the columns are given by name.
    """
    named = [table for table in tables if _may_have_names(table) and look_like_names(table.first_cells())]
    if not named:
        return _odd_first_row(list(tables))
    cells = named[0].first_cells()
    found = f"warning: {named[0].path.name}: its first row ({', '.join(cells)}) is read as data, but looks like names."
    silence = "dataset.header=false says that it is data"
    if len(named) < len(tables):
        return [f"{found} Remove it, since the other files have none. {silence}"]
    options = " ".join(shlex.quote(f"{key}={cell}") for key, cell in zip(named[0].keys, cells, strict=True))
    return [f"{found} To use them: {options}. {silence}"]


def _odd_first_row(tables: Sequence[Table]) -> list[str]:
    """The warning for a first row of other names, by what stands below it."""
    first = tables[0] if tables else None
    if first is None or not _may_have_names(first):
        return []
    cells = first.first_cells()
    why = _languages(cells, first.keys) or _odd_label(first, cells)
    if why is None:
        return []
    has_all = all(table.first_cells() == cells for table in tables)
    way_out = "If it names the columns: dataset.header=true" if has_all else "If it names the columns, remove it"
    return [
        f"warning: {first.path.name}: its first row ({', '.join(cells)}) is read as data, but {why}. {way_out}. "
        "dataset.header=false says that it is data"
    ]


def _languages(cells: Sequence[str], keys: Sequence[str]) -> str | None:
    names = {cell.strip().casefold() for cell in cells}
    known = _NAMES.union(_OWN_LANGUAGES.split())
    is_pair = tuple(keys) == _PAIR and len(names) == len(_PAIR)
    return "its cells are names of languages or columns" if is_pair and names <= known else None


def _odd_label(table: Table, cells: Sequence[str]) -> str | None:
    """Why the label of the first row is like no other; None: it is like others."""
    if _LABEL_KEY not in table.keys or not cells or not all(map(_may_be_name, cells)):
        return None
    place = table.keys.index(_LABEL_KEY)
    records = islice(table.records(BadRows("skip")), _MAX_ROWS)
    first = next(records, None)
    if first is None or first.values != tuple(cells):
        return None
    label, labels = first.values[place].strip(), [record.values[place].strip() for record in records]
    if len(labels) < _MIN_ROWS or label in labels:
        return None
    if not _is_number(label) and all(map(_is_number, labels)):
        return "its label is no number, as all others are"
    counts = Counter(labels)
    return "its label is in no other row, all others are in several" if min(counts.values()) > 1 else None


def _may_be_name(cell: str) -> bool:
    return len(cell) <= _MAX_CHARACTERS and len(cell.split()) <= _MAX_WORDS


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def look_like_names(cells: Collection[str]) -> bool:
    """Whether all cells are names that people give to columns, no two of them the same."""
    names = [cell.strip().casefold() for cell in cells]
    return bool(names) and len(set(names)) == len(names) and all(map(_is_name, names))


def _meant(names: dict[str, str], family: Sequence[str]) -> str | None:
    """The likeliest name of a family where it is there, else the only one of it that is."""
    there = [names[name] for name in family if name in names]
    return there[0] if len(there) == 1 or family[0] in names else None


def _is_name(text: str) -> bool:
    """`text`, `label2`, `review_text`: a known name, or one word with underscores and a known part."""
    parts = [part.rstrip("0123456789") for part in text.split("_")]
    return text.isidentifier() and not _NAMES.isdisjoint(parts)


def _may_have_names(table: Table) -> bool:
    return table.has_header is None and not table.starts_with_names
