"""Which measures of each head are written down: few enough to read with a hundred heads."""

from attnfocus.events import Heads

LOGGED = ("effective_positions", "distance", "diagonality", "first_mass")
DIGITS = 4  # of each number: curves need no more


def logged_heads(heads: Heads) -> dict[str, dict[str, list[float]]]:
    """Attention -> measure -> a value for each head, of the measures that an attention has, rounded."""
    return {
        attention: {name: [round(value, DIGITS) for value in measures[name]] for name in LOGGED if name in measures}
        for attention, measures in heads.items()
    }
