"""An exception that comes out of an attention's own code: where it arose, and what was called with what."""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from torch import Tensor

_HERE = Path(__file__).resolve().parent
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
_OURS, _TORCH = "attnfocus", "torch"
MAX_VALUE = 40  # characters of an argument that is no tensor


class AttentionCrashError(AssertionError):
    """Code of the attention, or of its parts, has raised an exception: no promise could be looked at."""


def crash_of(error: Exception, promise: str) -> AttentionCrashError | None:
    """What is said of an exception in a check; None: it is the check itself that raised it, as a promise is broken.

    Args:
        promise: that was checked.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    last_check = max(number for number, (frame, _) in enumerate(frames) if _file(frame).parent == _HERE)
    inner = [(frame, line) for frame, line in frames[last_check + 1 :] if _package(frame) != _TORCH]
    if not inner:
        return None
    others = [each for each in inner if _package(each[0]) != _OURS]
    own = [each for each in others if not str(_file(each[0])).startswith(_LIBRARIES)]
    frame, line = (own or others or inner)[-1]
    name = frame.f_code.co_qualname
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return AttentionCrashError(
        f"crash, in {_file(frame)}, line {line}: {what}\n"
        f"{name} was called with {_arguments(frame)}\n"
        f"while this was checked: {promise}"
    )


def _file(frame: FrameType) -> Path:
    return Path(frame.f_code.co_filename).resolve()


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _arguments(frame: FrameType) -> str:
    """The arguments of the function that a frame runs, as they are when it has ended; tensors by their shapes."""
    names, more, named, values = inspect.getargvalues(frame)
    shown = [f"{name}={_shown(values[name])}" for name in names if name != "self" and name in values]
    shown += [_shown(value) for value in values.get(more or "", ())]
    shown += [f"{name}={_shown(value)}" for name, value in values.get(named or "", {}).items()]
    return ", ".join(shown) or "nothing"


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, list | tuple) and any(isinstance(each, Tensor) for each in value):
        return f"[{', '.join(map(_shown, value))}]"
    text = repr(value)
    return text if len(text) <= MAX_VALUE and "\n" not in text else type(value).__name__
