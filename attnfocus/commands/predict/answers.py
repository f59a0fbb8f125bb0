"""The answers as they are written: lines, tables, or JSON with all that is known."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from attnfocus.data.reading.tables import TableFormat, ending_format
from attnfocus.runs.predictions_file import facts_of, rounded
from attnfocus.tasks import Prediction

# records: a table as lines of JSON; jsonl: with weights; continued: texts with what a language model wrote after them
Form = Literal["lines", "tsv", "csv", "records", "jsonl", "continued"]


def form_of(format: Literal["text", "jsonl"], table: TableFormat | None, output: str | None) -> Form:
    """How answers are written: with `text` like the file that they go to, if its ending says so, else like the inputs.

    Args:
        table: what the inputs are; None: lines, or texts of the command line.
        output: the file that the answers go to, if any.
    """
    if format == "jsonl":
        return "jsonl"
    kind = (None if output is None else ending_format(Path(output))) or table
    if kind is None:
        return "lines"
    return "records" if kind in ("jsonl", "json") else "tsv" if kind == "tsv" else "csv"


def written(
    answers: Iterable[Prediction], form: Form, num_best: int, separator_of: Callable[[], str] = lambda: ","
) -> Iterator[bytes]:
    """The answers, one after another, in UTF-8; a table begins with the names of its columns.

    The names come with the first answer, or at the end of the inputs: only then the inputs are known to be readable.

    Args:
        num_best: how many outputs of each input were asked for.
        separator_of: what separates columns of csv, as soon as there is an answer.
    """
    names = list(as_columns(Prediction("", "", 0.0), num_best)) if form in ("tsv", "csv") else []
    for number, answer in enumerate(answers):
        if names:
            yield _encoded(_row(names, form, separator_of()))
            names = []
        if form == "continued":
            text = ("\n" if number else "") + as_texts(answer, num_best)
        elif form == "lines":
            text = as_lines(answer, num_best)
        elif form == "jsonl":
            text = as_json(answer)
        elif form == "records":
            text = json.dumps(as_columns(answer, num_best), ensure_ascii=False)
        else:
            cells = as_columns(answer, num_best).values()
            text = _row(["" if cell is None else str(cell) for cell in cells], form, separator_of())
        yield _encoded(text)
    if names:
        yield _encoded(_row(names, form, separator_of()))


def as_columns(prediction: Prediction, num_best: int) -> dict[str, str | float | None]:
    """An answer as a row of a table: the same columns for all, in this order; None: there is no such value.

    `unknown` is the share of the input's tokens that the model does not know.
    """
    texts = _texts(prediction, num_best)
    more = {f"prediction_{rank}": text for rank, text in enumerate(texts[1:], 2)}
    return {
        "id": prediction.id,
        "prediction": texts[0],
        **more,
        "probability": rounded(prediction.probability) if math.isfinite(prediction.score) else None,
        "unknown": None if prediction.unknown is None else round(prediction.unknown, 4),
        "skipped": prediction.skipped,
    }


def as_lines(prediction: Prediction, num_best: int) -> str:
    """As many lines as outputs were asked for, the best first; empty ones where there are fewer."""
    return "\n".join(one_line(text) for text in _texts(prediction, num_best))


def as_texts(prediction: Prediction, num_best: int) -> str:
    """The input with what follows it, line ends and all; of several outputs the best first, an empty line between."""
    return "\n\n".join(f"{prediction.source}{text}" for text in _texts(prediction, num_best))


def one_line(text: str) -> str:
    """The text without line ends of any kind, so that line n of the output belongs to line n of the input."""
    return " ".join(text.splitlines())


def _texts(prediction: Prediction, num_best: int) -> list[str]:
    texts = [candidate.text for candidate in prediction.n_best] or [prediction.text]
    return [*texts, *[""] * (num_best - len(texts))]


def _row(cells: Sequence[str], form: Form, separator: str) -> str:
    if form == "tsv":  # has no quotes
        return "\t".join(one_line(cell).replace("\t", " ") for cell in cells)
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="", delimiter=separator).writerow(cells)
    return buffer.getvalue()


def _encoded(line: str) -> bytes:
    return line.encode("utf-8", "backslashreplace") + b"\n"


def as_json(prediction: Prediction) -> str:
    """A prediction with its probability (`score`: the logarithm), its alignment, and all outputs, as a line of JSON."""
    facts = facts_of(prediction)
    if not prediction.target:
        del facts["target"]  # none is known
    if prediction.skipped is not None:
        return json.dumps(facts, ensure_ascii=False)
    facts["score"] = prediction.score
    if prediction.n_best:
        facts["n_best"] = [
            {"prediction": each.text, "score": each.score, "rank_score": each.rank_score} for each in prediction.n_best
        ]
    facts["tokens"] = list(prediction.key_tokens)
    weights = prediction.weights or {}
    facts["attention"] = {
        name: {"queries": list(prediction.query_tokens.get(name, ())), "weights": _rounded(array)}
        for name, array in weights.items()
    }
    return json.dumps(facts, ensure_ascii=False)


def _rounded(array: Any) -> Any:
    return array.astype(float).round(4).tolist()
