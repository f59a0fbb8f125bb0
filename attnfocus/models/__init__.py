"""Models: what is read, attended to and answered. Each takes any attention of the algebra."""

from attnfocus.models.base import Classifier, LanguageModel, Model, Place, Translator
from attnfocus.models.inputs import ConvolutionInput, LinearInput
from attnfocus.models.outputs import ClassifierOutput, SequenceOutput
from attnfocus.models.pooling_classifier import PoolingClassifier
from attnfocus.models.rnn_classifier import RNNClassifier
from attnfocus.models.rnn_language_model import RNNLanguageModel
from attnfocus.models.seq2seq import Seq2Seq
from attnfocus.models.transformer import TransformerClassifier
from attnfocus.models.transformer_language_model import TransformerLanguageModel
from attnfocus.models.transformer_seq2seq import TransformerSeq2Seq

__all__ = [
    "Classifier",
    "ClassifierOutput",
    "ConvolutionInput",
    "LanguageModel",
    "LinearInput",
    "Model",
    "Place",
    "PoolingClassifier",
    "RNNClassifier",
    "RNNLanguageModel",
    "Seq2Seq",
    "SequenceOutput",
    "TransformerClassifier",
    "TransformerLanguageModel",
    "TransformerSeq2Seq",
    "Translator",
]
