"""The flags of a command line, which are Hydra's own."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from attnfocus.errors import ConfigError


def hydra_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags as Hydra itself parses them."""
    parser = get_args_parser()
    parser.exit_on_error = False
    parser.error = _refuse  # type: ignore[method-assign]
    try:
        flags: argparse.Namespace = parser.parse_intermixed_args(list(arguments))
    except argparse.ArgumentError as error:
        _refuse(str(error))
    return flags


def _refuse(message: str) -> NoReturn:
    raise ConfigError(f"{message}. `attnfocus VERB --help` shows the flags.")
