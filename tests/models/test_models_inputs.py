"""What reads the cells of a grid, and where they lie."""

import math
from functools import partial

import pytest
import torch

from attnfocus.attention import Attention, LocalPattern, RotaryPosition, ScaledDotScore
from attnfocus.errors import DataError
from attnfocus.grid import Grid
from attnfocus.models import (
    ConvolutionInput,
    PoolingClassifier,
    RNNClassifier,
    Seq2Seq,
    TransformerClassifier,
    TransformerSeq2Seq,
)
from attnfocus.models.embeddings import PositionEmbedding, sinusoids
from attnfocus.models.lengths import length_mask
from attnfocus.tasks.measures.focus import FocusMeans

GRID = Grid(3, 4, (4, 6, 2))
FULL = partial(Attention, score=ScaledDotScore)
ON_PLANE = partial(FULL, position=partial(RotaryPosition, axes=2), pattern=partial(LocalPattern, window=1, axes=2))


def inputs(num_rows=2, grid=GRID):
    return torch.randn(num_rows, grid.num_positions, grid.input_dim, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("patch", [(4, 6), (7, 7), (1, 1), (5, 3)])
def test_convolutions_give_one_vector_for_each_cell(patch):
    grid = Grid(3, 4, (*patch, 2))
    stem = ConvolutionInput(input_dim=grid.input_dim, embed_dim=16, grid=grid)
    vectors = inputs(2, grid)
    found = stem(vectors, torch.ones(2, 12, dtype=torch.bool))
    assert found.shape == (2, 12, 16)
    changed = vectors.clone()
    changed[:, 0] += 1.0  # the top left cell reaches its neighbors at most
    is_other = (stem(changed, torch.ones(2, 12, dtype=torch.bool)) - found).abs().amax(dim=(0, 2)) > 1e-6
    assert is_other[0]
    assert not is_other[[2, 3, 6, 7, 10, 11]].any()


def test_convolutions_see_the_image_that_the_cells_were_cut_from():
    grid = Grid(3, 4, (2, 2, 1))
    stem = ConvolutionInput(input_dim=4, embed_dim=8, grid=grid, num_plain=0)
    (stage,) = stem.stages
    image = torch.randn(1, 1, 6, 8)
    cells = image.view(1, 3, 2, 4, 2).transpose(2, 3).reshape(1, 12, 4)
    expected = stem.output(stage(image).flatten(2).transpose(1, 2))
    assert torch.allclose(stem(cells, torch.ones(1, 12, dtype=torch.bool)), expected, atol=1e-6)


def test_padding_behind_a_shorter_input_changes_no_convolution():
    grid = Grid(None, 1, (4, 1, 3))
    stem = ConvolutionInput(input_dim=12, embed_dim=16, grid=grid)
    lengths = torch.tensor([9, 5])
    mask = length_mask(lengths, 9)
    vectors = torch.randn(2, 9, 12) * mask.unsqueeze(-1)
    alone = stem(vectors[1:, :5], mask[1:, :5])
    assert torch.allclose(stem(vectors, mask)[1:, :5], alone, atol=1e-6)


def test_positions_on_a_grid_tell_rows_and_columns_apart():
    zeros = torch.zeros(1, 12, 8)
    found = PositionEmbedding("sinusoidal", 8, 512, GRID)(zeros)[0].view(3, 4, 8)
    assert torch.equal(found[:, 0, :4], sinusoids(3, 4))
    assert torch.equal(found[1, :, 4:], sinusoids(4, 4))
    assert (found[..., :4] == found[:, :1, :4]).all()
    learned = PositionEmbedding("learned", 8, 512, GRID)
    assert learned.table.shape == (7, 8)
    assert learned.max_length is None
    assert torch.allclose(learned(zeros)[0, 6], learned.table[1] + learned.table[3 + 2])
    in_a_row = PositionEmbedding("sinusoidal", 8, 512, Grid(None, 1, (4, 1, 1)))(zeros)
    assert torch.equal(in_a_row[0], sinusoids(12, 8))


def test_a_local_pattern_on_a_plane_is_a_square_around_each_patch():
    model = TransformerClassifier(
        attention=ON_PLANE, num_classes=3, input_dim=GRID.input_dim, grid=GRID, embed_dim=32, dropout=0.0
    ).eval()
    weights = model(inputs(), torch.tensor([12, 12]), need_weights=True).weights["layers.0"]
    places = [divmod(position, 4) for position in range(12)]
    for query, (row, column) in enumerate(places):
        near = [max(abs(row - r), abs(column - c)) <= 1 for r, c in places]
        assert ((weights[:, :, query] != 0) == torch.tensor(near)).all()


def test_a_local_pattern_on_a_plane_is_the_same_by_blocks():
    grid = Grid(16, 6, (1, 1, 8))
    sizes = {"num_classes": 3, "input_dim": 8, "grid": grid, "embed_dim": 32, "dropout": 0.0}
    torch.manual_seed(0)
    model = TransformerClassifier(attention=ON_PLANE, **sizes).eval()
    other = TransformerClassifier(attention=partial(ON_PLANE, path="chunked"), **sizes).eval()
    other.load_state_dict(model.state_dict())
    lengths = torch.tensor([96, 96])
    expected, found = (each(inputs(2, grid), lengths).logits for each in (model, other))
    assert torch.allclose(found, expected, atol=1e-5)


def test_rotary_scores_on_a_plane_know_how_many_rows_and_columns_lie_between():
    attention = FULL(query_dim=8, key_dim=8, position=partial(RotaryPosition, axes=2, base=100.0))
    model = PoolingClassifier(attention=FULL, num_classes=2, input_dim=GRID.input_dim, grid=GRID)
    assert next(iter(model.attentions().values())).plane.columns == 4  # told by the model
    attention.put_on(next(iter(model.attentions().values())).plane)
    vector = torch.randn(8, dtype=torch.float64).expand(1, 12, 8)
    placed = attention.position.place_keys(vector, 0)[0]
    scores = placed @ placed.T
    seen = {}
    for query in range(12):
        for key in range(12):
            offset = key // 4 - query // 4, key % 4 - query % 4
            assert scores[query, key] == pytest.approx(seen.setdefault(offset, scores[query, key].item()), abs=1e-9)
    assert len({round(value, 6) for value in seen.values()}) > 10


@pytest.mark.parametrize("kind", [TransformerClassifier, RNNClassifier, PoolingClassifier])
def test_every_classifier_reads_patches_through_convolutions(kind):
    model = kind(attention=FULL, num_classes=3, input_dim=GRID.input_dim, grid=GRID, input=ConvolutionInput)
    output = model(inputs(), torch.tensor([12, 12]), need_weights=True)
    output.logits.sum().backward()
    assert output.logits.shape == (2, 3)
    assert all(each.grad is not None for each in model.embedding.parameters())


def test_cls_lies_on_no_plane_and_sees_and_is_seen_by_all():
    mixed = [ON_PLANE, FULL]
    model = TransformerClassifier(
        attention=FULL, layer_attentions=mixed, num_layers=2, num_classes=3, input_dim=48, grid=GRID, embed_dim=32,
        pooling="cls",
    ).eval()  # fmt: skip
    weights = model(inputs(), torch.tensor([12, 12]), need_weights=True).weights["layers.0"]
    assert (weights[:, :, 0] != 0).all()
    assert (weights[:, :, :, 0] != 0).all()
    assert ((weights[0, 0, 1] != 0).nonzero().flatten() == torch.tensor([0, 1, 2, 5, 6])).all()


def test_what_needs_a_grid_says_so_without_one():
    for options in ({"vocab_size": 9}, {"input_dim": 9}):
        with pytest.raises(ValueError, match="convolution is for images and sounds"):
            PoolingClassifier(attention=FULL, num_classes=2, input=ConvolutionInput, **options)
    with pytest.raises(ValueError, match="axes=2: is for images"):
        FULL(8, 8, position=partial(RotaryPosition, axes=2))(*[torch.zeros(1, 3, 8)] * 2)
    with pytest.raises(ValueError, match="multiple of 4"):
        FULL(6, 6, position=partial(RotaryPosition, axes=2))


def test_distances_of_attention_on_a_plane_are_lengths_in_rows_and_columns():
    model = TransformerClassifier(attention=FULL, num_classes=2, input_dim=48, grid=GRID, embed_dim=32)
    (place,) = model.places()
    weights = torch.rand(2, 3, 12, 12).softmax(dim=-1)
    lengths = [[math.dist(divmod(query, 4), divmod(key, 4)) for key in range(12)] for query in range(12)]
    means = FocusMeans()
    means.add("any", "self", weights, torch.tensor([12, 12]), torch.tensor([12, 12]), plane=place.plane)
    expected = (weights * torch.tensor(lengths)).sum(dim=-1).mean()
    assert means.metrics()["focus/distance"] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("kind", [Seq2Seq, TransformerSeq2Seq])
def test_translators_read_vectors_and_padding_changes_nothing(kind):
    grid = Grid(None, 1, (4, 1, 3))
    sizes = {"source_vocab_size": None, "target_vocab_size": 7, "input_dim": 12, "embed_dim": 16}
    model = kind(attention=FULL, **sizes, grid=grid, input=ConvolutionInput).eval()
    assert list(model.token_tables()) == ["target"]
    lengths, targets = torch.tensor([9, 5]), torch.tensor([[2, 4, 5], [2, 6, 4]])
    vectors = torch.randn(2, 9, 12, generator=torch.Generator().manual_seed(0))
    output = model(vectors, lengths, targets, need_weights=True)
    alone = model(vectors[1:, :5], lengths[1:], targets[1:])
    assert torch.allclose(output.logits[1:], alone.logits, atol=1e-5)
    places = model.places_of(output.weights)
    crossing = [name for name, place in places.items() if place.kind == "cross"]
    assert all(output.weights[name].shape[-2:] == (3, 9) for name in crossing)
    assert crossing
    memory = model.encode(vectors, lengths)
    logits, _, weights = model.step(targets[:, 0], model.start(memory), memory, need_weights=True)
    assert torch.allclose(logits, output.logits[:, 0], atol=1e-5)
    assert weights.shape[-1] == 9
    with pytest.raises(ValueError, match="exactly one of"):
        kind(attention=FULL, **{**sizes, "source_vocab_size": 5}, grid=grid)
    with pytest.raises(ValueError, match="tied_embeddings=all: the inputs are vectors"):
        kind(attention=FULL, **sizes, grid=grid, tied_embeddings="all")
    with pytest.raises(ValueError, match="input=convolution is for images"):
        kind(attention=FULL, source_vocab_size=5, target_vocab_size=7, input=ConvolutionInput)


def test_learned_positions_of_a_plane_of_any_length_end_at_the_table():
    position = PositionEmbedding("learned", 8, 5, Grid(None, 2, (4, 4, 1)))
    assert position(torch.zeros(1, 10, 8)).shape == (1, 10, 8)
    with pytest.raises(DataError, match=r"an input of 6 rows is longer than model.max_length=5"):
        position(torch.zeros(1, 12, 8))
