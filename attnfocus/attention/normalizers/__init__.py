"""From scores to weights: one class for each way."""

from attnfocus.attention.normalizers.base import Normalizer, NormalizerFactory
from attnfocus.attention.normalizers.softmax import Softmax

__all__ = ["Normalizer", "NormalizerFactory", "Softmax"]
