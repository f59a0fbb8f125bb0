"""Files that are an input by themselves, such as an image: known by their endings."""

from __future__ import annotations

from pathlib import Path

# Of images, as Pillow reads them.
MEDIA_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def is_media(name: str | Path) -> bool:
    """Whether a name says that the file is one input, and no text or table of several: an image, or an array."""
    return Path(name).suffix.lower() in (*MEDIA_ENDINGS, ".npy")


def media_in(folder: Path) -> list[Path]:
    """Images in a folder and in those below it, in order; those whose name begins with a dot are left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in MEDIA_ENDINGS and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
