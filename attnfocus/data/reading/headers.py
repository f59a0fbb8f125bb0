"""A first row that names the columns, in a table whose columns are given by number: said, never acted upon."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from attnfocus.data.reading.tables import Table

_COMMON_NAMES = """
text texts sentence sentences review reviews comment content document title headline question query utterance tweet
message body description input inputs source src sources
label labels class classes category categories sentiment polarity rating score target tgt trg targets output outputs
answer translation intent topic language lang tag id idx index
en de fr es it pt nl pl ru sv cs zh ja ko ar tr
english german french spanish italian portuguese dutch polish russian swedish czech chinese japanese korean
文本 句子 内容 评论 标题 问题 文章 标签 类别 分类 类 情感 主题 答案 原文 译文 源 源语言 目标 目标语言 输入 输出
中文 英文 汉语 英语 语言 编号 序号
"""
_NAMES = frozenset(_COMMON_NAMES.split())


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


def _is_name(text: str) -> bool:
    """`text`, `label2`, `review_text`: a known name, or one word with underscores and a known part."""
    parts = [part.rstrip("0123456789") for part in text.split("_")]
    return text.isidentifier() and not _NAMES.isdisjoint(parts)


def _may_have_names(table: Table) -> bool:
    return table.has_header is None and not table.starts_with_names
