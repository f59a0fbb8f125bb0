"""What must not be written: a secret is noted when it becomes known, and hidden wherever the process writes text.

Secrets are values below keys that look like one (`hf_token`), values that an option of a component takes from the
environment (`${oc.env:NAME}`; the other keys of a configuration hold paths, numbers, or one of a few words), and
variables of the environment whose names look so.
"""

import itertools
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from attnfocus.errors import ConfigError

REDACTED = "<redacted>"
MIN_LENGTH = 6  # characters; a shorter secret is hidden as a whole value, not inside of other text

_SECRET_WORDS = {"secret", "secrets", "password", "passwords", "passwd", "passphrase", "credential", "credentials"}
_SECRET_WORDS |= {"apikey", "apikeys", "authorization"}
_SECRET_PAIRS = {(first, "key") for first in ("api", "access", "private", "secret", "account", "encryption")}
# `unk_token` and its like are words of this field, not secrets.
_TOKEN_PREFIXES = {"pad", "unk", "bos", "eos", "cls", "sep", "mask", "special", "start", "end", "stop", "blank"}
_TOKEN_PREFIXES |= {"first", "last", "per", "num", "max", "min", "separator", "unknown", "padding", "begin"}
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s@]+(?=@)")

_OPEN_VARIABLES = re.compile(r"HOME|USER|LOGNAME|PWD|HOSTNAME|TMPDIR|LANG|(SLURM|ATTNFOCUS|OMP|CUDA)_\w+")
_REFERENCE = re.compile(r"\$\{oc\.env:([A-Za-z_]\w*)\}")

known: dict[str, str] = {}  # secret -> the variable that holds it, empty where none does


def is_secret(key: str) -> bool:
    """True for `hf_token`, `apiKey`, `db.password`; False for `tokenizer`, `max_tokens`, `unk_token`, `key_dim`."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", str(key))]
    if _SECRET_WORDS & set(words) or any(pair in _SECRET_PAIRS for pair in itertools.pairwise(words)):
        return True
    return bool(words) and words[-1] == "token" and not (len(words) > 1 and words[-2] in _TOKEN_PREFIXES)


def note_environment() -> None:
    """Notes the variables whose names look like secrets. A path to a secret is none."""
    for name, value in os.environ.items():
        if is_secret(name) and len(value) >= MIN_LENGTH and not os.path.exists(value):
            known.setdefault(value, name)


def note_variable(name: str) -> None:
    """Notes what a configuration has taken from the variable `name` as a secret, unless it can be none."""
    value = os.environ.get(name)
    if value and not _OPEN_VARIABLES.fullmatch(name) and not os.path.exists(value):
        known[value] = name


def note_variables_in(values: Any, names: Iterable[str]) -> None:
    """Notes those of the variables whose values, long enough to be secrets, stand in one of `values`."""
    leaves = _leaves(values)
    for name in names:
        value = os.environ.get(name, "")
        if len(value) >= MIN_LENGTH and any(value in leaf for leaf in leaves):
            note_variable(name)


def note_values(values: Mapping[str, Any]) -> None:
    """Notes every value below a key that looks like a secret."""
    for key, value in values.items():
        if is_secret(key):
            for leaf in _leaves(value):
                known.setdefault(leaf, "")
        elif isinstance(value, Mapping):
            note_values(value)


def note_overrides(overrides: Iterable[str]) -> None:
    """Notes the values of a command line whose keys look like secrets."""
    for text in overrides:
        key, _, value = text.partition("=")
        if is_secret(key) and "${" not in value:
            note_values({key: [part.strip("'\"") for part in (value, *value.split(","))]})


def hide(text: str) -> str:
    """Running text without the secrets that are known, and without the user part of a URL."""
    return _hidden(text, with_references=False)


def hide_override(text: str) -> str:
    """`KEY=<redacted>` where the key of an override looks like a secret; other text as `hide` gives it."""
    key, sign, _ = text.partition("=")
    return f"{key}={REDACTED}" if sign and is_secret(key) else hide(text)


def redact(values: Mapping[str, Any], *, with_references: bool = False) -> dict[str, Any]:
    """A copy in which every value below a key that looks like a secret, and every known secret, is hidden.

    Args:
        with_references: what a variable of the environment holds becomes `${oc.env:NAME}`, which `restore` undoes.
    """
    return {key: _redacted(value, is_secret(key), with_references) for key, value in values.items()}


def restore(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the variables of the environment in place of the references that `redact` wrote.

    Only options of components and folders are ever made of a variable. Elsewhere (in a choice, a name) a reference
    stays as it is: what is only shown must not show a variable of whoever opens somebody else's run.

    Raises:
        ConfigError: a variable is not set.
    """
    missing: list[str] = []
    restored = {name: _restored(str(name), value, missing, name == "paths") for name, value in values.items()}
    if missing:
        raise ConfigError(missing)
    return restored


def redacted_keys(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys of values that were hidden and cannot be restored."""
    found: list[str] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += redacted_keys(value, f"{prefix}{name}.")
        elif any(REDACTED in leaf for leaf in _leaves(value)):
            found.append(f"{prefix}{name}")
    return found


def _redacted(value: Any, is_whole: bool, with_references: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _redacted(inner, is_whole or is_secret(key), with_references) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner, is_whole, with_references) for inner in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    name = known.get(str(value), "")
    if is_whole or (name and isinstance(value, str)):
        return f"${{oc.env:{name}}}" if with_references and name else REDACTED
    return _hidden(value, with_references) if isinstance(value, str) else value


def _hidden(text: str, with_references: bool) -> str:
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= MIN_LENGTH and secret in text:
            name = known[secret]
            text = text.replace(secret, f"${{oc.env:{name}}}" if with_references and name else REDACTED)
    return _URL_PASSWORD.sub(lambda match: match[0] if _REFERENCE.search(match[0]) else REDACTED, text)


def _restored(key: str, value: Any, missing: list[str], is_option: bool) -> Any:
    if isinstance(value, Mapping):
        is_option = is_option or "_target_" in value
        return {name: _restored(f"{key}.{name}", inner, missing, is_option) for name, inner in value.items()}
    if isinstance(value, list):
        return [_restored(f"{key}[{index}]", inner, missing, is_option) for index, inner in enumerate(value)]
    if not is_option:
        return value
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            missing.append(f"{key}: the environment variable {name} is not set; this run was trained with it.")
            return ""
        note_variable(name)
        return os.environ[name]

    return _REFERENCE.sub(variable, value)


def _leaves(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list | tuple):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [] if value is None or isinstance(value, bool) or value == "" else [str(value)]
