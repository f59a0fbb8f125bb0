"""From scores to weights: one class for each way."""

from attnfocus.attention.normalizers.base import Normalizer, NormalizerFactory
from attnfocus.attention.normalizers.entmax import Entmax, Entmax15, Sparsemax
from attnfocus.attention.normalizers.monotonic import Monotonic
from attnfocus.attention.normalizers.sigmoid import Sigmoid
from attnfocus.attention.normalizers.softmax import ScalableSoftmax, Softmax, SoftmaxPlusOne, TemperatureSoftmax

__all__ = [
    "Entmax",
    "Entmax15",
    "Monotonic",
    "Normalizer",
    "NormalizerFactory",
    "ScalableSoftmax",
    "Sigmoid",
    "Softmax",
    "SoftmaxPlusOne",
    "Sparsemax",
    "TemperatureSoftmax",
]
