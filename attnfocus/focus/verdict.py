"""What the numbers of faithfulness come to, in plain words.

The verdict rests on probabilities at one temperature for all models (`focus.temperature`): a factor on the logits
changes no answer, no reason for it, and no verdict.
"""

import math
from collections.abc import Mapping

from attnfocus.focus.temperature import SURENESS

# How much more probability an output must lose without what weights point to than without as many random positions,
# and keep with it alone: the mean of both. Below the second, weights do no better than chance.
POINTS, POINTS_AT_NOTHING = 0.10, 0.03
# How far shuffled weights must move the output (total variation distance).
MATTERS, HARDLY_MATTERS = 0.20, 0.05
# Jensen-Shannon divergence, in nats, from which on weights that give the same output count as others.
OTHER_WEIGHTS = 0.1
TEMPERED = "tempered_"  # begins the names of figures at the one temperature


def verdict(metrics: Mapping[str, float]) -> str:
    """How far weights can be read as an explanation, by the rules of docs/focus.md.

    Args:
        metrics: `faithfulness/<measure>` -> number. What depends on replacing weights may be missing.
    """
    gain, of = gain_over_chance(metrics, TEMPERED), _without_prefix(metrics)
    lost = {kind: of[f"{TEMPERED}comprehensiveness{kind}"] for kind in ("", "_random", "_gradient")}
    change = of.get(f"{TEMPERED}permuted_change")
    points, matters = gain >= POINTS, change is None or change >= MATTERS
    blind, idle = gain < POINTS_AT_NOTHING, change is not None and change < HARDLY_MATTERS
    if points and matters:
        head = "Weights point to what matters"
    elif (blind and (change is None or not matters)) or (idle and not points):
        head = "Weights say little"
    else:
        head = "Weights tell a part"
    taken = (
        f"with probabilities scaled so that the likeliest answer has {SURENESS:.2f} on average, an output loses "
        f"{lost['']:z.2f} of its probability without the positions of most weight (random positions "
        f"{lost['_random']:z.2f}, those of gradients {lost['_gradient']:z.2f})"
    )
    if change is None:
        return f"{head}: {taken}. Whether the output depends on them could not be tested: they cannot be replaced."
    shuffled = f"shuffled weights move the output by {change:.2f} of 1"
    return f"{head}: {taken}, and {shuffled}. {_others(of['adversarial_distance'])}"


def gain_over_chance(metrics: Mapping[str, float], scale: str = "") -> float:
    """Mean of what comprehensiveness and sufficiency gain over random positions; 0: no better than chance.

    Args:
        scale: what the names of the two begin with: "" or `TEMPERED`.
    """
    value = _without_prefix(metrics)
    needed = value[f"{scale}comprehensiveness"] - value[f"{scale}comprehensiveness_random"]
    enough = value[f"{scale}sufficiency_random"] - value[f"{scale}sufficiency"]
    return (needed + enough) / 2


def _without_prefix(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name.removeprefix("faithfulness/"): value for name, value in metrics.items()}


def _others(distance: float) -> str:
    most = math.log(2)
    if distance < OTHER_WEIGHTS:
        return f"No very different weights were found that give the same output (at most {distance:.2f} of {most:.2f})."
    return f"They are not the only ones: weights {distance:.2f} of at most {most:.2f} away give the same output."
