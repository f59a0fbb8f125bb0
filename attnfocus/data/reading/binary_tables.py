"""Tables that are no text: parquet by pyarrow, Excel by openpyxl, where these are installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attnfocus.data.reading.lines import (
    MAX_GZIP_RATIO,
    MAX_LINE_CHARACTERS,
    MAX_ROWS_ALWAYS_FINE,
    MAX_UNPACKED_ALWAYS_FINE,
    ROW_BYTES,
)
from attnfocus.data.reading.zip_files import BadZipError, unpacked_bytes
from attnfocus.errors import DataError

_ROWS_AT_ONCE = 10_000


def parquet_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
    """The rows of a file, by the names of its columns.

    Args:
        columns: the only ones that are needed; None: all.

    Raises:
        DataError: pyarrow is missing, or the file is damaged or unpacks to what no table is.
    """
    pa, parquet = _parquet(path)
    try:
        with parquet.ParquetFile(path) as file:
            _check_unpacked(path, file.metadata)
            is_known = columns is not None and set(columns) <= {
                name for name in file.schema_arrow.names if "." not in name
            }
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns if is_known else None):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as parquet: {str(error).splitlines()[0][:200]}") from error


def parquet_columns(path: Path) -> list[str]:
    """The names of a file's columns. Raises as `parquet_rows`."""
    pa, parquet = _parquet(path)
    try:
        return list(parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as parquet: {str(error).splitlines()[0][:200]}") from error


def _parquet(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"{path}: reading parquet needs pyarrow: pip install pyarrow. Or give the same table as csv or jsonl."
        ) from None
    return pa, parquet


def _check_unpacked(path: Path, metadata: Any) -> None:
    """Refuses what a few bytes would make of the memory: see `lines.text_lines`."""
    fine = MAX_GZIP_RATIO * path.stat().st_size
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if size > max(MAX_UNPACKED_ALWAYS_FINE, fine) or metadata.num_rows > max(MAX_ROWS_ALWAYS_FINE, fine // ROW_BYTES):
        raise DataError(
            f"{path}: its {path.stat().st_size} bytes are {metadata.num_rows:,} rows of {size:,} bytes, which text "
            "never does. Convert it to csv if you trust it."
        )


def sheet_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of each row of the first sheet with anything in it, from 1, and its cells as texts.

    Raises:
        DataError: openpyxl is missing, or the file is damaged or unpacks to what no sheet is.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise DataError(
            f"{path}: reading Excel's format needs openpyxl: pip install openpyxl. Or save the sheet as CSV UTF-8."
        ) from None
    try:
        size = unpacked_bytes(path)
        if size > max(MAX_UNPACKED_ALWAYS_FINE, MAX_GZIP_RATIO * path.stat().st_size):
            raise DataError(f"{path}: unpacks to {size:,} bytes, which no sheet does. Save it as CSV if you trust it.")
        book = load_workbook(path, read_only=True, data_only=True)
        try:
            width = 0
            for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
                texts = [_cell_text(cell) for cell in cells]
                while len(texts) > width and not texts[-1]:  # what stands beside the table, formatted or not
                    texts.pop()
                if any(texts):
                    width = width or len(texts)
                    yield number, [*texts, *[""] * (width - len(texts))]
        finally:
            book.close()
    except DataError:
        raise
    except (BadZipError, KeyError, ValueError, IndexError, OSError) as error:
        raise DataError(f"{path}: cannot be read as a workbook: {str(error)[:200]}. Save the sheet as CSV.") from error


def _cell_text(cell: Any) -> str:
    """As the sheet has it: no text where there is none, true and false as JSON writes them."""
    if cell is None:
        return ""
    return ("true" if cell else "false") if isinstance(cell, bool) else str(cell)[:MAX_LINE_CHARACTERS]
