"""Files that are an input by themselves, such as an image or a recording: known by their endings."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")  # as Pillow reads
SOUND_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au")  # as scipy and soundfile read
ARRAY_ENDINGS = (".npy",)  # of a signal
MEDIA_ENDINGS = (*IMAGE_ENDINGS, *SOUND_ENDINGS)


def is_media(name: str | Path, endings: Collection[str] = (*MEDIA_ENDINGS, *ARRAY_ENDINGS)) -> bool:
    """Whether a name says that the file is one input, and no text or table of several."""
    return Path(name).suffix.lower() in endings


def media_in(folder: Path, endings: Collection[str] = MEDIA_ENDINGS) -> list[Path]:
    """Such files in a folder and in those below it, in order; those whose name begins with a dot are left out."""
    found = (path for path in folder.rglob("*") if is_media(path, endings) and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
