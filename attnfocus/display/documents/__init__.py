"""An HTML page as one file: its style, its script and its data inside it, and a policy that lets it ask no network.

What every page of the project shares: its head (page.html), the joining of script modules, JSON that is safe inside a
script element, the base of the style with the colors of the palette, and the policy by which only this style and this
script run.
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

Parts = tuple[tuple[str, tuple[str, ...]], ...]  # packages, each with the names of some of its files

DOCUMENTS = __name__  # the package of `elements`, `numbers`, `chart`, `palette`, `pixels`, and of charts.css
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}  # no text can end the element, or look like markup


def document(title: str, body: str, style: str, script: str, data: Mapping[str, Any]) -> str:
    """The page.

    Args:
        title: of the window, in HTML.
        body: HTML of what is seen before the script runs; `%language%` is the choice of its language.
        style: `style_of`.
        script: `script_of`.
        data: what the script reads.
    """
    policy = (
        f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    language = asset(__name__, "language.html")  # of a body that asks for it
    parts = {"policy": policy, "title": title, "body": body, "language": language, "style": style, "script": script}
    page = asset(__name__, "page.html")
    for name, text in (parts | {"data": embedded_json(data)}).items():  # the data come last: they may hold anything
        page = page.replace(f"%{name}%", text)
    return page


def embedded_json(content: Mapping[str, Any]) -> str:
    """JSON in ASCII without a character that means something to HTML: safe inside a script element."""
    return json.dumps(strict_json(content), ensure_ascii=True, separators=(",", ":")).translate(_ESCAPES)


@cache
def script_of(parts: Parts, inner: Parts = ()) -> str:
    """Modules as one script, in ASCII.

    Args:
        parts: packages, each with the names of its modules `scripts/NAME.js`, one after another in one function.
        inner: those that follow in a block: they see the names of `parts`, and may have the same ones of their own.
    """
    modules = _modules(parts) + (f"\n{{\n{_modules(inner)}}}\n" if inner else "")
    script = re.sub(r"[^\x00-\x7f]", lambda char: f"\\u{ord(char[0]):04x}", modules)  # they stand in strings alone
    return f'"use strict";\n(() => {{\n{script}}})();\n'


def _modules(parts: Parts) -> str:
    return "\n".join(asset(package, f"scripts/{name}.js") for package, names in parts for name in names)


@cache
def style_of(parts: Parts) -> str:
    """base.css, then style sheets of packages; the colors of the palette stand for `%light%` and `%dark%`."""
    sheets = [asset(package, name) for package, names in parts for name in names]
    style = "\n".join([asset(__package__, "base.css"), *sheets])
    for mode in ("light", "dark"):
        style = style.replace(f"%{mode}%", palette.css_properties(mode))
    return style


@cache
def ramps() -> dict[str, dict[str, str]]:
    """Mode -> `above`, `below` -> the 256 colors from the background on, as `ffffffd3e5f3...`."""
    return {
        mode: {
            side: "".join(palette.hexadecimal(rgb)[1:] for rgb in palette.steps(mode, below=side == "below"))
            for side in ("above", "below")
        }
        for mode in ("light", "dark")
    }


def digest(text: str) -> str:
    """As a policy names a script or a style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def asset(package: str, name: str) -> str:
    return (files(package) / name).read_text(encoding="utf-8")
