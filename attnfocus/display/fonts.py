"""Which installed fonts have the characters of a label, and how a label is written when none has them."""

import functools
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress

from rich.cells import cell_len

from attnfocus.display.text import shorten
from attnfocus.visible import escape, visible

# Looking for fonts makes matplotlib log about its cache and about what it did not find: no matter for a user.
_matplotlib_log = logging.getLogger("matplotlib")
_level = _matplotlib_log.level
_matplotlib_log.setLevel(logging.ERROR)
from matplotlib import font_manager  # noqa: E402

_matplotlib_log.setLevel(_level)

BASE_FONT = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Arabic, Hebrew, Georgian, Armenian, ...

# One look-up for a script at most; what is not installed is skipped.
FALLBACK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "PingFang SC", "PingFang HK", "Heiti TC", "Hiragino Sans GB", "Hiragino Sans"),
    *("Microsoft YaHei", "SimHei", "Yu Gothic", "Malgun Gothic", "Apple SD Gothic Neo", "Noto Sans CJK JP"),
    *("Noto Sans JP", "Noto Sans KR", "IPAGothic", "NanumGothic", "Droid Sans Fallback", "Arial Unicode MS"),
    *("Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Telugu", "Noto Sans Thai"),
    *("Noto Sans Khmer", "Noto Sans Ethiopic", "Noto Sans Sinhala", "Noto Sans", "Nirmala UI", "Leelawadee UI"),
    *("Lohit Devanagari", "FreeSans", "FreeSerif", "Unifont", "Symbola", "Segoe UI Symbol"),
)


@functools.cache
def _coverage(family: str) -> frozenset[int]:
    """The characters that an installed font has; none when it is not installed."""
    if family not in {font.name for font in font_manager.fontManager.ttflist}:
        return frozenset()
    path = font_manager.findfont(family, fallback_to_default=False)
    return frozenset(font_manager.get_font(path).get_charmap())


@functools.cache
def _add_new_fonts(families: frozenset[str]) -> None:
    """Lets matplotlib know those that were installed after it made its list of fonts, which it keeps for years."""
    known = {font.fname for font in font_manager.fontManager.ttflist}
    words = {family.replace(" ", "").lower()[:10] for family in families}
    for path in font_manager.findSystemFonts():
        name = path.replace("\\", "/").rpartition("/")[2].lower()
        if path not in known and name.replace("-", "").startswith(tuple(words)):
            with suppress(OSError, RuntimeError):  # a damaged file, or a kind that cannot be drawn
                font_manager.fontManager.addfont(path)


def families_for(texts: Iterable[str], fallbacks: Sequence[str] = FALLBACK_FONTS) -> list[str]:
    """Font families, the base font first, that together have as many characters of the texts as those installed can."""
    missing = {ord(char) for text in texts for char in text} - _coverage(BASE_FONT)
    families = [BASE_FONT]
    if missing:
        _add_new_fonts(frozenset(fallbacks))
    for family in fallbacks:
        if not missing:
            break
        covered = missing & _coverage(family)
        if covered:
            families.append(family)
            missing -= covered
    return families


@functools.cache
def _advance(char: str, families: tuple[str, ...]) -> float:
    """Width of a character in the first font that has it, in ems."""
    family = next((each for each in families if ord(char) in _coverage(each)), families[0])
    font = font_manager.get_font(font_manager.findfont(family, fallback_to_default=False))
    font.set_size(100, 72)
    return float(font.load_char(ord(char)).linearHoriAdvance) / 65536 / 100


def width(text: str, families: Sequence[str], points: float) -> float:
    """Of a text in inches."""
    return sum(_advance(char, tuple(families)) for char in text) * points / 72


def written(text: str, families: Sequence[str]) -> str:
    """The text with control characters, and characters that none of the fonts has, escaped."""
    has = [_coverage(family) for family in families]
    return "".join(char if any(ord(char) in font for font in has) else escape(char) for char in visible(text))


def label(token: str, families: Sequence[str], max_cells: int, index: int) -> str:
    """A token as an axis shows it: never blank, never a box for a missing glyph, at most `max_cells` wide.

    Spaces at its ends become `␣`; a token that escapes make too long is named by its index, `[3]`.
    """
    if not token:
        return "∅"
    inner = token.strip(" ")
    start = token.index(inner) if inner else len(token)
    shown = "␣" * start + written(inner, families) + "␣" * (len(token) - start - len(inner))
    if unicodedata.combining(shown[0]):
        shown = "◌" + shown
    if len(shown) > len(token) + 1 and cell_len(shown) > max_cells:
        return f"[{index}]"
    return shorten(shown, max_cells)
