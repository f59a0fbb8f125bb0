"""What a key of the configuration is, said once, where its option is declared.

`corpus: FilePath` in a constructor, `Annotated[int, Mark.RESUMABLE]` in a section's dataclass: `config.key_table` reads
the marks, and whoever saves, resumes, compares or completes a configuration asks it. The mark of a section holds for
all keys in it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any


class Mark(Enum):
    """
    Attributes:
        FILE: names a file or folder. Saved by its whole path, so that a run is the same from every folder.
        FILE_OR_NAME: names a file or folder if one is there, else something else, such as a set of the hub.
        RESUMABLE: may change when a run goes on: how long it trains and what it writes, not what it has learned or how.
        NO_EFFECT: makes no other configuration for `compare`: it changes nothing that is learned, or, as the seed does,
            only which repetition of a configuration a run is.
        OF_COMMAND: belongs to one command, and is not saved with the run.
    """

    FILE = "file"
    FILE_OR_NAME = "file or name"
    RESUMABLE = "resumable"
    NO_EFFECT = "no effect"
    OF_COMMAND = "of command"


@dataclass(frozen=True)
class Beside:
    """Marks a section whose `_target_` shares it: beside the options of its class stand those of a dataclass."""

    schema: type


@dataclass(frozen=True, eq=False)  # a value may be a mapping, of which there is no hash
class Before:
    """Marks an option whose default has changed: what counts for a run that was saved before the key was there.

    The value of a component is its whole node. Such a run keeps to it when it goes on, also with `resume=auto`, unless
    the key is typed.
    """

    value: Any


# A node with a `_target_` that stays as it is: whoever reads it checks it.
Node = Annotated[dict[str, Any], "node"]
FilePath = Annotated[str, Mark.FILE]
FilePathOrName = Annotated[str, Mark.FILE_OR_NAME]
