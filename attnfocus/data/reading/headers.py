"""A first row that names the columns: which of them are meant, and what is said where it is read as data."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from attnfocus.data.reading.tables import Table

_TEXT = """
text texts sentence sentences review reviews comment content document headline question query utterance tweet message
body input inputs 文本 句子 内容 评论 问题 文章
"""
_LABEL = "label labels class category sentiment polarity rating target intent 标签 类别 分类 类 情感"
_SOURCE = "source src sources input inputs 原文 源 源语言 输入"
_TARGET = "target tgt trg targets output outputs translation 译文 目标 目标语言 输出"
_LANGUAGES = """
en de fr es it pt nl pl ru sv cs zh ja ko ar tr
english german french spanish italian portuguese dutch polish russian swedish czech chinese japanese korean
中文 英文 汉语 英语
"""
_OTHERS = """
classes categories title description score answer topic language lang tag id idx index 标题 主题 答案 语言 编号 序号
"""
_NAMES = frozenset(" ".join((_TEXT, _LABEL, _SOURCE, _TARGET, _LANGUAGES, _OTHERS)).split())
_PAIR = ("dataset.source_column", "dataset.target_column")
# What the two columns of a set are called, the likeliest name first.
_FAMILIES = {
    "dataset.text_column": _TEXT.split(),
    "dataset.label_column": _LABEL.split(),
    "dataset.source_column": _SOURCE.split(),
    "dataset.target_column": _TARGET.split(),
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
        return []
    cells = named[0].first_cells()
    found = f"warning: {named[0].path.name}: its first row ({', '.join(cells)}) is read as data, but looks like names."
    silence = "dataset.header=false says that it is data"
    if len(named) < len(tables):
        return [f"{found} Remove it, since the other files have none. {silence}"]
    options = " ".join(shlex.quote(f"{key}={cell}") for key, cell in zip(named[0].keys, cells, strict=True))
    return [f"{found} To use them: {options}. {silence}"]


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
