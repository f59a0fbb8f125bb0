"""Small data and models for the tests of tasks: real codecs, batches and attentions."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from attnfocus import models
from attnfocus.config.targets import make_factory
from attnfocus.data.batches import Batch, collate
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.codecs.vector_label import VectorLabelCodec
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import Tokenizer, TokenizerOptions

CONFIGS = Path(__file__).parents[2] / "configs"
PAIRS = (
    ("a", "x"),
    ("b a", "y x"),
    ("c b a", "z y x"),
    ("a a b c", "x x y z"),
    ("c c", "z z"),
    ("b c a b c", "y z x y z"),
    ("d", "w"),
    ("d a", "w x"),
    ("c d b", "z w y"),
    ("a b", "x y"),
    ("b", "y"),
)
LABELLED = (
    ("good", "yes"),
    ("good good film", "yes"),
    ("bad", "no"),
    ("a bad bad film", "no"),
    ("so so", "maybe"),
    ("so so film", "maybe"),
    ("good film a", "yes"),
)
CLASSIFIERS = ("TransformerClassifier", "RNNClassifier", "PoolingClassifier")


@lru_cache
def attention(preset: str = "scaled_dot") -> Any:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(overrides=[f"+attention={preset}"])
    return make_factory(OmegaConf.to_container(config.attention, resolve=True))  # type: ignore[arg-type]


def pair_codec() -> TextPairCodec:
    options = TokenizerOptions(kind="word")
    sources, targets = zip(*PAIRS, strict=True)
    return TextPairCodec(Tokenizer.train(sources, options), Tokenizer.train(targets, options))


def label_codec() -> TextLabelCodec:
    texts = [text for text, _ in LABELLED]
    return TextLabelCodec(Tokenizer.train(texts, TokenizerOptions(kind="word")), ("no", "maybe", "yes"))


def vector_codec() -> VectorLabelCodec:
    return VectorLabelCodec(2, ("no", "maybe", "yes"))


def rows(pairs: Sequence[tuple[Any, str]]) -> list[Row]:
    return [Row(f"test:{number}", source, target) for number, (source, target) in enumerate(pairs)]


def batches(codec: Any, examples: Sequence[Row], size: int, order: Sequence[int] | None = None) -> list[Batch]:
    ordered = list(examples) if order is None else [examples[number] for number in order]
    encoded = codec.encode_rows(ordered)
    return [collate(encoded[start : start + size]) for start in range(0, len(encoded), size)]


def seq2seq(codec: TextPairCodec, preset: str = "scaled_dot", **options: Any) -> nn.Module:
    torch.manual_seed(0)
    sizes = {"embed_dim": 16, "hidden_size": 16, "dropout": 0.1, **codec.dims(), **options}
    return models.Seq2Seq(attention=attention(preset), **sizes)


def transformer(codec: TextPairCodec, preset: str = "scaled_dot", **options: Any) -> nn.Module:
    torch.manual_seed(0)
    sizes = {"embed_dim": 16, "feedforward_dim": 16, "num_encoder_layers": 1, "num_decoder_layers": 1, **codec.dims()}
    return models.TransformerSeq2Seq(attention=attention(preset), **sizes, **options)


def classifier(name: str, codec: Any, preset: str = "scaled_dot", **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return getattr(models, name)(attention=attention(preset), embed_dim=16, dropout=0.1, **codec.dims(), **options)


def shaken(model: Any, seed: int = 5) -> Any:
    """In float64 and evaluation mode, with parameters that are off their start, where a 0 hides mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.double().eval()
