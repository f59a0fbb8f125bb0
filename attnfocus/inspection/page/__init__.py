"""The HTML page of an inspection: one file with its script, style and data, that asks nothing of a network.

The data stand in a script element of type application/json (`facts`, `coding`). The script is made of the files under
`scripts`, one after another in one function; the style of page.css and print.css, with the colors of the palette.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from attnfocus.display import palette
from attnfocus.files import strict_json
from attnfocus.inspection.content import Content
from attnfocus.inspection.page.coding import coded
from attnfocus.inspection.page.facts import page_data

__all__ = ["coded", "embedded_json", "page_data", "page_of", "page_script", "page_style"]

SCRIPTS = (  # in this order; `main` starts the page
    *("state", "words", "weights", "sketch", "colors", "gold", "text", "matrix", "heads", "output", "events", "main"),
)
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}  # no text can end the element, or look like markup


def page_of(inspection: Content) -> str:
    """The document, in ASCII."""
    style, script = page_style(), page_script()
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"policy": policy, "style": style, "script": script, "data": embedded_json(page_data(inspection))}
    page = _asset("page.html")
    for name, text in parts.items():  # the data come last: they may hold anything
        page = page.replace(f"%{name}%", text)
    return page


def embedded_json(content: Mapping[str, Any]) -> str:
    """JSON in ASCII without a character that means something to HTML: safe inside a script element."""
    return json.dumps(strict_json(content), ensure_ascii=True, separators=(",", ":")).translate(_ESCAPES)


@cache
def page_script() -> str:
    """The modules as one script, in ASCII."""
    modules = "\n".join(_asset(f"scripts/{name}.js") for name in SCRIPTS)
    script = re.sub(r"[^\x00-\x7f]", lambda char: f"\\u{ord(char[0]):04x}", modules)  # they stand in strings alone
    return f'"use strict";\n(() => {{\n{script}}})();\n'


@cache
def page_style() -> str:
    style = f"{_asset('page.css')}\n{_asset('print.css')}"
    for mode in ("light", "dark"):
        style = style.replace(f"%{mode}%", palette.css_properties(mode))
    return style


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
