"""The HTML page of an inspection: one file with its script, style and data, that asks nothing of a network.

The data stand in a script element of type application/json (`facts`, `coding`). The script is made of the files under
`scripts`, one after another in one function; the style of page.css and print.css. A page that holds some examples of a
run among other things takes the same parts: `body`, `SCRIPTS`, `STYLES`.
"""

from attnfocus.display.documents import DOCUMENTS, asset, document, embedded_json, script_of, style_of
from attnfocus.inspection.content import Content
from attnfocus.inspection.page.coding import coded
from attnfocus.inspection.page.facts import page_data

__all__ = ["body", "coded", "embedded_json", "page_data", "page_of", "page_script", "page_style"]

SCRIPTS = (  # in this order
    (__name__, ("state",)),
    (DOCUMENTS, ("language", "palette", "pixels")),
    (
        __name__,
        ("words", "weights", "sketch", "colors", "gold", "text", "picture", "matrix", "heads", "output", "events"),
    ),
    (__name__, ("choices",)),
)
START = (__name__, ("main",))  # comes last, after the words of a page with more in it
STYLES = (__name__, ("page.css", "print.css"))


def page_of(inspection: Content) -> str:
    """The document, in ASCII."""
    whole = asset(__name__, "page.html").replace("%examples%", body())
    return document("attnfocus inspect", whole, page_style(), page_script(), page_data(inspection))


def body() -> str:
    """HTML of the examples: what is chosen, the text, the matrix, the heads, the measures."""
    return asset(__name__, "body.html")


def page_script() -> str:
    return script_of((*SCRIPTS, START))


def page_style() -> str:
    return style_of((STYLES,))
