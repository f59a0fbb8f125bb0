"""faithfulness.json: how far a run's attention weights can be read as an explanation, for `compare` to read."""

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from attnfocus.explanation import Faithfulness
from attnfocus.explanation.faithfulness import FORMAT
from attnfocus.files import write_json_atomically
from attnfocus.layout import FAITHFULNESS_FIGURE, FAITHFULNESS_FILE
from attnfocus.limits import Finite
from attnfocus.records import to_value
from attnfocus.regular_files import read_file, replace_file

MAX_BYTES = 2**24
_OLDER = {
    "en": "Measured by an older version, which judged otherwise. Again: ",
    "zh": "由旧版本测得，判断方法不同。重新测试：",
}

logger = logging.getLogger(__name__)


def save_faithfulness(run_dir: Path, tested: Faithfulness, step: int, figure: bytes | None = None) -> None:
    """Writes the verdict, what it rests on, the step of the checkpoint, and the figure (PNG).

    A disk that is full or not ours costs the files alone, and is told.
    """
    path = run_dir / FAITHFULNESS_FILE
    try:
        write_json_atomically(path, {**tested.facts(), "step": step})
        if figure is not None:
            replace_file(run_dir / FAITHFULNESS_FIGURE, figure)
        else:  # one of before is of other numbers
            (run_dir / FAITHFULNESS_FIGURE).unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s could not be written (%s)", path, error.strerror or error)


def load_verdict(run_dir: Path, step: int | None) -> dict[str, str] | None:
    """What the file comes to, in plain words: language (en, zh) -> text; None where there is no file of that step.

    A file of an older version says that it is one.
    """
    return _verdict(_saved(run_dir, step), run_dir)


def load_faithfulness(run_dir: Path, step: int | None) -> dict[str, float]:
    """The metrics of the file; none where it is not there, is damaged, or is of another checkpoint than that step's.

    Those of an older version measure other things by the same names: none.
    """
    return _metrics(_saved(run_dir, step))


def load_tested(run_dir: Path, step: int | None) -> dict[str, Any]:
    """What an inspection shows of the test: `verdict`, `faithfulness`, and `intervals` and `glossary` of these.

    The last two are empty where the others are.
    """
    saved = _saved(run_dir, step)
    kept: dict[str, Any] = {"intervals": {}, "glossary": {}}
    if saved.get("format") == FORMAT:
        with suppress(ValueError):
            intervals = to_value(saved.get("intervals", {}), dict[str, list[Finite]], "intervals")
            kept["intervals"] = {name: tuple(ends) for name, ends in intervals.items() if len(ends) == 2}
        with suppress(ValueError):
            kept["glossary"] = to_value(saved.get("glossary", {}), dict[str, list[str]], "glossary")
    return {"verdict": _verdict(saved, run_dir), "faithfulness": _metrics(saved), **kept}


def _verdict(saved: dict[str, Any], run_dir: Path) -> dict[str, str] | None:
    if saved.get("format") != FORMAT:
        command = f"attnfocus evaluate run={run_dir.name} faithfulness=true"
        return {language: text + command for language, text in _OLDER.items()} if "verdict" in saved else None
    try:
        sentences = to_value(saved.get("sentences", {}), dict[str, list[str]], "sentences")
    except ValueError:
        return None
    return {language: "\n".join(of_language) for language, of_language in sentences.items()} or None


def _metrics(saved: dict[str, Any]) -> dict[str, float]:
    if saved.get("format") != FORMAT:
        return {}
    try:
        metrics = to_value(saved.get("metrics", {}), dict[str, Finite | None], "metrics")
    except ValueError:
        return {}
    return {name: value for name, value in metrics.items() if value is not None}


def _saved(run_dir: Path, step: int | None) -> dict[str, Any]:
    try:
        saved = json.loads(read_file(run_dir / FAITHFULNESS_FILE, MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return saved if isinstance(saved, dict) and saved.get("step") == step else {}
