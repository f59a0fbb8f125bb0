"""The verbs: one line each. What each does and needs stands in its room and in its file under `configs/`."""

from importlib import import_module

from attnfocus.commands.verb import Verb

VERBS = {  # verb -> its room
    "train": "attnfocus.commands.train",
    "data": "attnfocus.commands.data",
    "evaluate": "attnfocus.commands.evaluate",
    "predict": "attnfocus.commands.predict",
    "inspect": "attnfocus.commands.inspect",
    "report": "attnfocus.commands.report",
    "list": "attnfocus.commands.list",
    "compare": "attnfocus.commands.compare",
    "bench": "attnfocus.commands.bench",
    "doctor": "attnfocus.commands.doctor",
}


def facts_of(verb: str) -> Verb:
    """What a verb says of itself. Loads neither torch nor Hydra."""
    facts: Verb = import_module(VERBS[verb]).VERB
    return facts


def schema_of(verb: str) -> type | None:
    """The dataclass of its keys, which loads what the command needs; None for a verb that checks its values itself."""
    module, _, name = facts_of(verb).config.rpartition(".")
    return getattr(import_module(module), name) if name else None


def command_of(verb: str) -> str:
    """The module whose `run` is the verb's command."""
    return facts_of(verb).command or VERBS[verb]
