"""The keys of attention by layer, and the words that a stack is called by, known without Hydra: see `stacks`."""

import re

GROUP = "attention"
OPTION = "layer_attentions"  # options of a model whose names end so are stacks
SHARED = f"model.{OPTION}"  # that of all places, which counts in the place of `attention`


def stack_of(key: str) -> str | None:
    """By which choice the stack is called that a key is or lies in; None for any other key."""
    section, _, option = key.partition(".")
    option = option.partition(".")[0]
    if section != "model" or not option.endswith(OPTION):
        return None
    return GROUP if option == OPTION else f"{section}.{option}"


def words_of_layers(stack: str) -> list[str]:
    """`local*2,rotary` -> `local`, `local`, `rotary`: what a stack calls each of its layers, before it is repeated.

    Options are left out, `local` for `local(pattern.window=4)`, unless two of one name differ by them. Empty where all
    layers are one attention.
    """
    whole: list[str] = []
    for item in re.split(r",(?![^(]*\))", stack):
        name, times = re.sub(r"\*\d+$", "", item), re.search(r"\*(\d{1,4})$", item)
        whole += [name] * (int(times[1]) if times else 1)
    short = [name.partition("(")[0] for name in whole]
    if len(set(whole)) == 1:
        return []
    return short if len(set(short)) == len(set(whole)) else whole
