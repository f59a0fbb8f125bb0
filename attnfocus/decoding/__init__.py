"""Decoding: from a model's next-token probabilities to outputs."""

from attnfocus.decoding.beam import beam_search
from attnfocus.decoding.greedy import greedy
from attnfocus.decoding.hypothesis import Hypothesis, StepModel
from attnfocus.decoding.options import DecodingOptions
from attnfocus.decoding.sampling import sample
from attnfocus.decoding.search import decode, decode_best

__all__ = [
    "DecodingOptions",
    "Hypothesis",
    "StepModel",
    "beam_search",
    "decode",
    "decode_best",
    "greedy",
    "sample",
]
