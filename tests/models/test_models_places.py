"""What a model's attentions are for: read from the model, never from how they are called."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from rich.console import Console
from tasks_toys import LABELLED, attention, batches, label_codec, pair_codec, rows, seq2seq, transformer
from torch import nn

from attnfocus.decoding import DecodingOptions
from attnfocus.explanation import METHODS, AttributionOptions, attribute, measure_faithfulness
from attnfocus.focus.regularizer_options import EntropyOptions, Regularization
from attnfocus.inspection.content import Content
from attnfocus.inspection.examples import Choice, Trained, inspect_examples
from attnfocus.inspection.terminal import print_inspection
from attnfocus.models import Classifier, ClassifierOutput, Place, TransformerClassifier
from attnfocus.models.embeddings import InputEmbedding, PositionEmbedding
from attnfocus.models.lengths import length_mask
from attnfocus.models.pooling import AttentionPooling
from attnfocus.models.transformer_layers import LayerOptions, TransformerLayer
from attnfocus.tasks import ClassificationTask

PRESET = "multi_head"
USUAL = {"layers.0": "blocks.0.mixer", "layers.1": "blocks.1.mixer", "pooling": "reader"}
FACTS = {"model": "m", "attention": "a", "dataset": "d", "step": 1, "run": "r", "checkpoint": "best"}


class Block(nn.Module):
    def __init__(self, mixer: nn.Module) -> None:
        super().__init__()
        self.mixer = mixer


class Odd(Classifier):
    """`TransformerClassifier(pooling="attention", num_layers=2)`, with other names for its parts."""

    def __init__(self, vocab_size: int, num_classes: int) -> None:
        super().__init__()
        made = attention(PRESET)
        options = LayerOptions(16, 4, 32, "pre", 0.1)
        self.embedding = InputEmbedding(16, vocab_size=vocab_size, input_dim=None)
        self.position = PositionEmbedding("sinusoidal", 16, 512)
        self.blocks = nn.ModuleList(Block(TransformerLayer(made, options)) for _ in range(2))
        self.final_norm = nn.LayerNorm(16)
        self.reader = AttentionPooling(made, 16, 4)
        self.output = nn.Linear(self.reader.output_dim, num_classes)

    def token_tables(self) -> Any:
        return self.embedding.tables()

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor, need_weights: bool = False) -> ClassifierOutput:
        mask = length_mask(lengths, inputs.shape[1])
        states, weights = self.position(self.embedding(inputs, mask)), {}
        for number, block in enumerate(self.blocks):
            states, weights[f"blocks.{number}.mixer"] = block.mixer(states, mask.unsqueeze(1), need_weights)
        pooled, weights["reader"] = self.reader(self.final_norm(states), mask, need_weights)
        return ClassifierOutput(self.output(pooled), weights if need_weights else {})


class Explicit(Odd):
    """Nobody has told its attentions what they are for: the model does."""

    def __init__(self, **sizes: int) -> None:
        super().__init__(**sizes)
        for each in self.attentions().values():
            each.role = None

    def places(self) -> list[Place]:
        mixers = [Place(f"blocks.{number}.mixer", "self", "input", "input") for number in range(2)]
        return [*mixers, Place("reader", "pooling", "learned", "input")]


@pytest.fixture(scope="module", params=[Odd, Explicit])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Classifier, Classifier]:
    """A codec, and one and the same model under usual names and under odd ones."""
    codec = label_codec()
    torch.manual_seed(0)
    usual = TransformerClassifier(
        attention=attention(PRESET),
        embed_dim=16,
        num_layers=2,
        feedforward_dim=32,
        pooling="attention",
        dropout=0.1,
        **codec.dims(),
    )
    odd = request.param(vocab_size=codec.dims()["vocab_size"], num_classes=codec.dims()["num_classes"])
    tensors = {renamed(name): tensor for name, tensor in usual.state_dict().items()}
    odd.load_state_dict(tensors)
    return codec, usual.eval(), odd.eval()


def renamed(name: str) -> str:
    for usual, odd in USUAL.items():
        if name == usual or name.startswith(f"{usual}."):
            return odd + name.removeprefix(usual)
    return name


def known_rows() -> list[Any]:
    """Of several lengths, each with its first word marked."""
    return [replace(row, rationale=((0, len(str(row.input).split()[0])),)) for row in rows(LABELLED)]


def test_odd_names_are_measured_as_usual_ones_to_the_digit(pair: tuple[Any, Classifier, Classifier]) -> None:
    codec, usual, odd = pair
    task, given = ClassificationTask(codec), batches(codec, known_rows(), 4)
    expected, found = (task.evaluate(model, given, num_samples=2) for model in (usual, odd))
    assert found.metrics == expected.metrics
    assert {"focus/distance", "plausibility/auprc"} < found.metrics.keys()
    assert found.heads == {renamed(name): measures for name, measures in expected.heads.items()}
    for ours, theirs in zip(found.samples, expected.samples, strict=True):
        assert ours.query_tokens["blocks.1.mixer"] == ours.key_tokens == theirs.query_tokens["layers.1"]
        assert ours.query_tokens["reader"] == ("reader",)
    maps = [task.maps(model, given[0]) for model in (odd, usual)]
    for name, each in maps[1].items():
        assert torch.equal(maps[0][renamed(name)], each)


@pytest.mark.slow
def test_odd_names_are_explained_as_usual_ones(pair: tuple[Any, Classifier, Classifier]) -> None:
    codec, usual, odd = pair
    task, examples = ClassificationTask(codec), codec.encode_rows(known_rows())[:4]
    ours_alone = ("attn_lrp", "attention_block_norm")  # whose rules know no other models
    for method in (each for each in METHODS if each not in ours_alone):
        expected, found = (attribute(task, model, examples, method) for model in (usual, odd))
        assert [each.scores.tolist() for each in found] == [each.scores.tolist() for each in expected]
    for method in ("attention", "attention_gradient"):
        for usual_name, odd_name in USUAL.items():
            layers = ((usual, usual_name), (odd, odd_name))
            expected, found = (
                attribute(task, model, examples, method, AttributionOptions(layer=layer)) for model, layer in layers
            )
            assert [each.scores.tolist() for each in found] == [each.scores.tolist() for each in expected]
    options: Any = {"num_examples": 3, "seed": 1, "split": "test"}
    expected, found = (measure_faithfulness(task, model, examples, **options) for model in (usual, odd))
    assert found.metrics == expected.metrics
    assert (found.attentions, expected.attentions) == (("reader",), ("pooling",))


def test_odd_names_are_shown_as_usual_ones(pair: tuple[Any, Classifier, Classifier]) -> None:
    codec, usual, odd = pair
    examples = codec.encode_rows(known_rows())[:2]
    texts = []
    for model, layer in ((usual, "layers.0"), (odd, "blocks.0.mixer")):
        trained = Trained(ClassificationTask(codec), model, DecodingOptions())
        console = Console(width=100, force_terminal=False)
        with console.capture() as printed:
            print_inspection(console, Content(FACTS, "text", inspect_examples(trained, examples, Choice(layer=layer))))
        texts.append(printed.get())
    assert "distance" not in texts[0]
    assert texts[1] == texts[0].replace("layers.0", "blocks.0.mixer")


@pytest.mark.parametrize("names", [None, ("layers.0",), ("pooling",)])
def test_odd_names_are_regularized_as_usual_ones(pair: tuple[Any, Classifier, Classifier], names: Any) -> None:
    codec, usual, odd = pair
    (batch,) = batches(codec, known_rows(), 7)
    terms = []
    for model, chosen in ((usual, names), (odd, names and tuple(map(renamed, names)))):
        options = Regularization(entropy=EntropyOptions(weight=0.1, attentions=chosen))
        terms.append(ClassificationTask(codec, regularization=options).step(model, batch).penalties["entropy"].item())
    assert terms[0] == terms[1] > 0


class Latents(Classifier):
    """Three learned queries look at the input, and then at each other."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_classes))

    def places(self) -> list[Place]:
        return [Place("reader", "pooling", "learned", "input"), Place("mixer", "self", "learned", "learned")]

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor, need_weights: bool = False) -> ClassifierOutput:
        count, width = inputs.shape
        reader = (length_mask(lengths, width) / lengths.unsqueeze(1).clamp_min(1))[:, None, None].expand(-1, 1, 3, -1)
        weights = {"reader": reader, "mixer": torch.eye(3).expand(count, 1, -1, -1)}
        return ClassifierOutput(self.logits.expand(count, -1), weights if need_weights else {})


def test_positions_of_no_example_are_all_real_and_numbered() -> None:
    codec = label_codec()
    task, model = ClassificationTask(codec), Latents(codec.dims()["num_classes"])
    found = task.evaluate(model, batches(codec, known_rows(), 4))
    assert found.heads["mixer"]["positions"] == (3.0,)
    assert "special_mass" not in found.heads["mixer"]
    trained = Trained(task, model, DecodingOptions())
    (shown,) = inspect_examples(trained, codec.encode_rows(known_rows())[:1], Choice(methods=("attention",)))
    reader, mixer = shown.maps
    assert reader.key_tokens == shown.prediction.key_tokens
    assert reader.query_tokens == ("reader 0", "reader 1", "reader 2")
    assert mixer.query_tokens == mixer.key_tokens == ("mixer 0", "mixer 1", "mixer 2")
    assert mixer.weights.shape == (1, 3, 3)


def test_our_models_say_what_their_attentions_are_for() -> None:
    codec = pair_codec()
    assert list(seq2seq(codec).places()) == [Place("cross", "cross", "output", "input")]
    assert list(transformer(codec).places()) == [
        Place("encoder.layers.0", "self", "input", "input"),
        Place("decoder.layers.0.self", "self", "output", "output"),
        Place("decoder.layers.0.cross", "cross", "output", "input"),
    ]


def test_nothing_is_guessed() -> None:
    sizes = {key: label_codec().dims()[key] for key in ("vocab_size", "num_classes")}
    model = Odd(**sizes)
    with pytest.raises(ValueError, match=r"Odd gives weights called mixer, .* blocks\.0\.mixer, .*reader\. Let the"):
        model.places_of(["reader", "mixer"])
    model.blocks[1].mixer.attention.role = None
    with pytest.raises(ValueError, match=r"what its attention blocks\.1\.mixer is for.*role.*places\(\)"):
        model.places()
    with pytest.raises(ValueError, match="the place x: kind: from output to input is cross, got self"):
        Place("x", "self", "output", "input")
    with pytest.raises(ValueError, match="the place x: keys: must be input, output, learned, got source"):
        Place("x", "cross", "output", "source")
