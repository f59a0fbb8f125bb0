"""Rows with named values: JSON lines and arrays, and the values of a column in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attnfocus.data.reading.lines import MAX_LINE_CHARACTERS, SURROGATE
from attnfocus.errors import DataError

LINE_BREAKS = re.compile(r"[\r\n]+")
# Line, raw text, values or what is wrong, the column of that, and the number that it is known by in its file
ObjectRow = tuple[int, str, "Mapping[str, Any] | str", int, int]
_BLANK = re.compile(r"\s*")


class Number(str):
    """A number as it stands in the file: `1.0` is not `1`."""


# Numbers stay as they are written; NaN and Infinity, which are no JSON, are no text either.
_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number)


def begins_array(parts: Iterator[str]) -> bool:
    """Whether a text is an array of objects: it begins with `[` and `{`, or is `[]`."""
    start = ""
    for part in parts:
        start += "".join(part.split())
        if len(start) > 1:
            break
    return start[:2] in ("[{", "[]")


def value_text(record: Mapping[str, Any], column: str) -> str:
    """The text of a column, which a dotted path may reach inside: `translation.de`. An exact name comes first.

    Raises:
        ValueError: there is no such value, or it is no text, number, true or false.
    """
    value = record[column] if column in record else _inner(record, column)
    if isinstance(value, str):
        text = LINE_BREAKS.sub(" ", value) if "\n" in value or "\r" in value else value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int) or (isinstance(value, float) and value == value):
        text = str(value)
    else:
        shown = "NaN" if isinstance(value, float) else json.dumps(value, default=str)[:60]
        raise ValueError(f"{column!r} must be a text, got {shown}")
    if not text.strip():
        raise ValueError(f"{column!r} is empty")
    if not text.isascii() and SURROGATE.search(text):
        raise ValueError(f"{column!r} holds half a surrogate pair, which is no character")
    return text


def has_column(record: Mapping[str, Any], column: str) -> bool:
    """Whether a record has a column, or what a dotted path reaches inside one."""
    try:
        return column in record or _inner(record, column) is not record
    except ValueError:
        return False


def check_old(record: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuses what the first rules of reading did not take: numbers with a fraction, true, false and dotted paths."""
    for name in names:
        value = record.get(name)
        is_integer = value.lstrip("-").isdecimal() if isinstance(value, Number) else type(value) is int
        if not is_integer and (isinstance(value, Number) or not isinstance(value, str)):
            raise ValueError(f"{name!r} must be a text, got {value!r}")


def _inner(record: Mapping[str, Any], column: str) -> Any:
    value: Any = record
    parts = column.split(".")
    for number, part in enumerate(parts):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping):
            of = f" of {'.'.join(parts[:number])!r}" if number else ""
            raise ValueError(f"no {part!r} among its keys{of} {', '.join(map(repr, value))[:200]}")
        else:
            raise ValueError(f"no {part!r} in {'.'.join(parts[:number])!r}")
    return value


def line_rows(lines: Iterator[str]) -> Iterator[ObjectRow]:
    """Objects, one a line."""
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            found = _DECODER.decode(line)
        except json.JSONDecodeError as error:
            yield number, line, *_why_no_json(line, error), number
        except (ValueError, RecursionError) as error:
            yield number, line, str(error) if isinstance(error, ValueError) else "nested too deep", 1, number
        else:
            yield number, line, found if isinstance(found, dict) else "not a JSON object", 1, number


def _why_no_json(line: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """In words of ours, and the column."""
    end = len(line.rstrip())
    how = "not valid JSON: it breaks off at its end" if error.pos >= end else f"not valid JSON: {error.msg}"
    return how, min(error.pos, end) + 1


def array_rows(parts: Iterator[str], path: Path) -> Iterator[ObjectRow]:
    """The elements of an array, read one after the other and counted from 1.

    Raises:
        DataError: it is no JSON from some place on: what follows cannot be told apart.
    """
    text, line, offset, count = "", 1, 0, 0

    def more() -> bool:
        """Whether something new has come: as much as is there already, so that long elements cost no more."""
        nonlocal text, line, offset
        line, text, offset = line + text.count("\n", 0, offset), text[offset:], 0
        wanted, taken = max(len(text), 1 << 16), [text]
        for part in parts:
            taken.append(part)
            wanted -= len(part)
            if wanted <= 0:
                break
        text = "".join(taken)
        return len(taken) > 1

    def skipped_blank() -> str:
        """The next character that is none; empty at the end."""
        nonlocal offset
        while True:
            offset = _BLANK.match(text, offset).end()  # type: ignore[union-attr]
            if offset < len(text) or not more():
                return text[offset : offset + 1]

    def place(at: int) -> tuple[int, int]:
        return line + text.count("\n", 0, at), at - text.rfind("\n", 0, at)

    skipped_blank()
    offset += 1  # the bracket
    while (character := skipped_blank()) not in ("", "]"):
        try:
            found, end = _DECODER.raw_decode(text, offset)
        except (ValueError, RecursionError) as error:
            where = place(error.pos if isinstance(error, json.JSONDecodeError) else offset)
            if isinstance(error, ValueError) and len(text) - offset < MAX_LINE_CHARACTERS and more():
                continue
            reason = str(error).partition(": line")[0] if isinstance(error, ValueError) else "nested too deep"
            raise DataError(f"{path}:{where[0]}:{where[1]}: not valid JSON: {reason}. Correct it.") from None
        count += 1
        where = place(offset)
        raw, offset = text[offset:end], end
        yield where[0], raw, found if isinstance(found, dict) else "not a JSON object", where[1], count
        character = skipped_blank()
        if character == ",":
            offset += 1
        elif character != "]":
            where = place(offset)
            raise DataError(f"{path}:{where[0]}:{where[1]}: not valid JSON: a comma or ] must follow. Correct it.")
    if not character:
        raise DataError(f"{path}: its array is not closed by ]: the file is cut off. Replace it by a whole copy.")
