"""What can be chosen of a figure that is written to a file; without matplotlib, for the checks of options."""

from dataclasses import dataclass, field
from typing import Literal

from attnfocus.errors import ConfigError

FigureFile = Literal["png", "pdf", "svg"]
CAPTION_FILE = "txt"  # the ending of the text beside a figure
StyleName = Literal["screen", "paper"]
WidthName = Literal["column", "page"]


@dataclass(kw_only=True)
class FigureStyle:
    """How the figures of a verb look.

    Attributes:
        width: of a figure for a paper: `column` (3.3 inches) or `page` (6.9); None: what the figure needs.
    """

    style: StyleName = "screen"
    width: WidthName | None = None

    def check_width(self, section: str = "") -> None:
        """Before anything is read.

        Args:
            section: in which the keys stand, with its dot at the end.

        Raises:
            ConfigError: a width without a paper.
        """
        if self.width is not None and self.style != "paper":
            text = f"is for style=paper alone. Add {section}style=paper, or remove {section}width={self.width}."
            raise ConfigError(f"{section}width: {text}")


@dataclass(kw_only=True)
class FigureOptions(FigureStyle):
    """Which figures a verb writes, and how they look. No `files`: none."""

    files: list[FigureFile] = field(default_factory=lambda: ["png"])
