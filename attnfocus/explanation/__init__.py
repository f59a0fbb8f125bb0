"""What an answer rests on: attributions, and whether attention weights can be read as an explanation."""

from attnfocus.explanation.attribution import Attribution, attribute
from attnfocus.explanation.faithfulness import Faithfulness, measure_faithfulness
from attnfocus.explanation.options import METHODS, AttributionOptions

__all__ = ["METHODS", "Attribution", "AttributionOptions", "Faithfulness", "attribute", "measure_faithfulness"]
