"""What can be chosen of a figure that is written to a file; without matplotlib, for the checks of options."""

from typing import Literal

FigureFile = Literal["png", "pdf", "svg"]
StyleName = Literal["screen", "paper"]
WidthName = Literal["column", "page"]
