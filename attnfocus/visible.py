"""Text that may be shown: nothing in it is hidden, and nothing steers a terminal."""

import unicodedata


def visible(text: str) -> str:
    """The text with every character that would not show, or would steer a terminal, escaped; blanks stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or unicodedata.category(char) == "Zs" else escape(char) for char in text)


def visible_lines(text: str) -> str:
    """The same of a text whose ends of lines stay."""
    return "\n".join(map(visible, text.split("\n")))


def escape(character: str) -> str:
    """The character as it is written in Python: `\\t`, `\\x1b`, `\\u200f`."""
    return character.encode("unicode_escape").decode()
