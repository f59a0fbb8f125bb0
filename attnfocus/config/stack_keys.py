"""The keys of attention by layer, known without Hydra: see `stacks`."""

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
