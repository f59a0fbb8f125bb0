"""summary.json and the redaction of secrets."""

import itertools
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REDACTED = "<redacted>"

_SECRET_WORDS = {"secret", "secrets", "password", "passwords", "passwd", "passphrase", "credential", "credentials"}
_SECRET_WORDS |= {"apikey", "apikeys", "authorization"}
_SECRET_PAIRS = {(first, "key") for first in ("api", "access", "private", "secret", "account", "encryption")}
# `unk_token` and its like are words of this field, not secrets.
_TOKEN_PREFIXES = {"pad", "unk", "bos", "eos", "cls", "sep", "mask", "special", "start", "end", "stop", "blank"}
_TOKEN_PREFIXES |= {"first", "last", "per", "num", "max", "min", "separator", "unknown", "padding", "begin"}
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def is_secret(key: str) -> bool:
    """True for `hf_token`, `apiKey`, `db.password`; False for `tokenizer`, `max_tokens`, `unk_token`, `key_dim`."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", str(key))]
    if _SECRET_WORDS & set(words) or any(pair in _SECRET_PAIRS for pair in itertools.pairwise(words)):
        return True
    return bool(words) and words[-1] == "token" and not (len(words) > 1 and words[-2] in _TOKEN_PREFIXES)


def redact(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which every value below a key that looks like a secret, and the user part of a URL, is hidden."""
    return {key: _redacted(value, is_secret(key)) for key, value in config.items()}


def _redacted(value: Any, hide: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _redacted(inner, hide or is_secret(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner, hide) for inner in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    if hide:
        return REDACTED
    return _URL_PASSWORD.sub(REDACTED, value) if isinstance(value, str) else value


def strict_json(value: Any) -> Any:
    """The value in types that JSON has: NaN and infinity become None, paths text, numpy and torch numbers plain."""
    if isinstance(value, Mapping):
        return {str(key): strict_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [strict_json(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    if not isinstance(value, str | int | float) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file so that, whatever happens, the path holds either the old content or the new, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json_atomically(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Writes strict, indented JSON; the file is never half written.

    Raises:
        OSError: the file cannot be written; the old one is intact.
        TypeError: a value that JSON does not have.
    """
    text = json.dumps(strict_json(content), indent=2, ensure_ascii=False, allow_nan=False)
    replace_file(Path(path), (text + "\n").encode("utf-8", "backslashreplace"))
