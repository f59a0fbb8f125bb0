"""Whether a terminal's background is light or dark: colors that are quiet on one are the loudest on the other."""

import os
import re
import select
import time
from collections.abc import Mapping
from contextlib import suppress

from attnfocus.display.palette import Mode, luminance

_QUESTION = b"\x1b]11;?\x1b\\\x1b[c"  # the background; then what every terminal answers, so that there is an end
_WAIT = 0.25  # seconds for the answer
_LIGHT = 0.18  # luminance above which black text reads better than white


def terminal_mode(environ: Mapping[str, str] | None = None) -> Mode:
    """`light` or `dark`, as COLORFGBG says or the terminal answers (OSC 11); dark, as most are, where neither does."""
    environ = os.environ if environ is None else environ
    return mode_of_variable(environ.get("COLORFGBG", "")) or mode_of_answer(_answer()) or "dark"


def mode_of_variable(text: str) -> Mode | None:
    """COLORFGBG, as `0;15` or `15;default;0`: the last is one of 16 colors; 7 and above 8 are light."""
    last = text.rpartition(";")[2]
    if not last.isdecimal() or ";" not in text:
        return None
    return "light" if int(last) == 7 or int(last) > 8 else "dark"


def mode_of_answer(answer: bytes) -> Mode | None:
    """The answer to OSC 11: `rgb:ffff/ffff/ffff`, one to four digits for each color."""
    found = re.search(rb"rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})", answer)
    if found is None:
        return None
    red, green, blue = (round(255 * int(part, 16) / (16 ** len(part) - 1)) for part in found.groups())
    return "light" if luminance((red, green, blue)) > _LIGHT else "dark"


def _answer() -> bytes:
    """What the terminal of this process answers; nothing where there is none, or it belongs to another process now."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        return b""
    answer = b""
    with suppress(OSError, termios.error):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            if os.tcgetpgrp(terminal) != os.getpgrp():  # in the background: a change of the terminal would stop us
                return b""
            before = termios.tcgetattr(terminal)
            try:
                tty.setcbreak(terminal, termios.TCSANOW)
                os.write(terminal, _QUESTION)
                end = time.monotonic() + _WAIT
                while not re.search(rb"\x1b\[\?[\d;]*c", answer) and len(answer) < 256:
                    if not select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
                        break
                    part = os.read(terminal, 64)
                    if not part:  # the terminal is gone
                        break
                    answer += part
            finally:
                termios.tcsetattr(terminal, termios.TCSANOW, before)
        finally:
            os.close(terminal)
    return answer
