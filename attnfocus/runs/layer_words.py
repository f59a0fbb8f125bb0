"""What people call the attentions of a model whose layers have different ones: `layers.3 (local)`."""

from collections.abc import Mapping

from attnfocus.attention import BaseAttention
from attnfocus.config.stack_keys import stack_of, words_of_layers
from attnfocus.display.text import shorten
from attnfocus.models.base import Model
from attnfocus.visible import visible

MAX_WORDS = 60  # characters


def name_layers(model: Model, choices: Mapping[str, object]) -> None:
    """Gives each attention of a stack its words (`BaseAttention.words`), by what was typed for the stack.

    Args:
        choices: group -> choice, of a run; a stack stands there as `local*5,rotary`.
    """
    for attention in model.attentions().values():
        attention.words = _words(attention, choices)


def _words(attention: BaseAttention, choices: Mapping[str, object]) -> str:
    if attention.in_stack is None:
        return ""
    option, number = attention.in_stack
    of_layers = words_of_layers(str(choices.get(stack_of(f"model.{option}") or "", "")))
    return visible(shorten(of_layers[number], MAX_WORDS)) if number < len(of_layers) else ""
