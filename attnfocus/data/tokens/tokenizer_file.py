"""The file of a tokenizer: what it must hold, checked when it is read. Nothing in it is executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from attnfocus.data.tokens.spaces import SpaceRule
from attnfocus.data.tokens.torchtext_words import TorchtextName
from attnfocus.data.tokens.vocabulary import TokenizerKind, Vocabulary, WordKind
from attnfocus.errors import CheckpointError
from attnfocus.regular_files import read_file

MAX_FILE_BYTES = 256 * 2**20  # more than any vocabulary takes


def read_json(path: Path, *format_versions: int) -> dict[str, Any]:
    """A JSON object with a `format_version` that this program knows.

    Raises:
        CheckpointError: the file is missing, too large, not such an object, or of a newer format.
    """
    try:
        content = json.loads(read_file(path, MAX_FILE_BYTES))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}. Use an undamaged copy.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error}). Use an undamaged copy.") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int:
        raise CheckpointError(f"{path}: damaged: it holds no format_version. Use an undamaged copy.")
    if version not in format_versions:
        known = " and ".join(map(str, format_versions))
        raise CheckpointError(f"{path}: written in format {version}, this program reads format {known}.")
    return content


def checked_kind(content: dict[str, Any]) -> TokenizerKind:
    if content["kind"] not in get_args(TokenizerKind) or type(content["lowercase"]) is not bool:
        raise ValueError("its kind or lowercase is not a known value")
    kind: TokenizerKind = content["kind"]
    return kind


def checked_spaces(content: dict[str, Any]) -> SpaceRule:
    spaces = content["spaces"]
    if content["kind"] not in get_args(WordKind) or not isinstance(spaces, dict):
        raise ValueError("its kind has no rule of spaces")
    return SpaceRule.of_content(spaces)


def checked_splitter(content: dict[str, Any]) -> tuple[TorchtextName, str] | None:
    if content["kind"] != "torchtext":
        return None
    name, language = content["torchtext"], content["language"]
    if name not in get_args(TorchtextName) or not isinstance(language, str):
        raise ValueError("its torchtext or language is not a known value")
    return name, language


def checked_vocabulary(content: dict[str, Any]) -> Vocabulary:
    tokens, merges, scores = content["tokens"], content["merges"], content["scores"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
        raise ValueError("its tokens are not texts")
    if not isinstance(merges, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in merges
    ):
        raise ValueError("its merges are not pairs of tokens")
    if not isinstance(scores, list) or not all(type(score) is float and -1e6 < score <= 0 for score in scores):
        raise ValueError("its scores are not log probabilities")
    return Vocabulary(tokens, [(left, right) for left, right in merges], scores)
