"""Building an attention: defaults, YAML, the meta device, and messages that name the way out."""

import inspect
import pickle
import re

import pytest
import torch
from attention_presets import CHOICES, CONFIGS, class_of, composed, factor_node, partial_of
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from attnfocus.attention import AdditiveScore, Attention, CosineScore, DotScore, GeneralScore, ScaledDotScore, masks
from attnfocus.signatures import parameters_of

GIVEN_BY_PROGRAM = {"self", "query_dim", "key_dim", "value_dim", "num_heads", "head_dim"}
OF_MODEL = {"suggested_heads", "suggested_projections", "suggested_bias", "output_dim"}
OF_ATTENTION = (GIVEN_BY_PROGRAM - {"num_heads"}) | OF_MODEL
FILES = sorted((CONFIGS / "attention").rglob("*.yaml"))


def test_command_line_overrides_compose(tmp_path):
    (tmp_path / "main.yaml").write_text(
        f"defaults: [attention: dot, _self_]\nhydra: {{searchpath: ['file://{CONFIGS}']}}\n", encoding="utf-8"
    )
    overrides = ["attention=additive", "attention/pattern=causal", "attention.score.hidden_size=64"]
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        node = OmegaConf.to_container(compose("main", overrides).attention)
    assert node["pattern"] == {"_target_": "attnfocus.attention.CausalPattern"}
    attention = partial_of(node)(query_dim=8, key_dim=8)
    assert attention.score.hidden_size == 64
    assert attention.same_sequence_only


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_option_is_listed_with_a_comment(path):
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"# .{1,70}", first)
    options = [line for line in lines if re.match(r"\w+:", line) and not line.startswith(("_target_", "defaults"))]
    assert all(re.search(r"  # .+", line) for line in options)


def test_yaml_keys_are_the_parameters_of_the_classes():
    def check(node, given):
        cls = class_of(node)
        parameters = parameters_of(cls)
        assert set(node) - {"_target_"} == set(parameters) - given
        for key in set(node) & set(parameters):
            assert parameters[key].kind is inspect.Parameter.KEYWORD_ONLY
        for child in node.values():
            if isinstance(child, dict):
                check(child, GIVEN_BY_PROGRAM)

    for path in (CONFIGS / "attention").glob("*.yaml"):
        check(composed(f"attention={path.stem}"), OF_ATTENTION)


def test_a_factor_in_yaml_starts_at_the_defaults_of_its_class():
    """Where several choices share a class, one of them does, and the others say what they are for by their options."""
    for factor, choices in CHOICES.items():
        others = {}
        for choice in choices:
            node = dict(factor_node(factor, choice))
            cls = class_of(node)
            defaults = {name: each.default for name, each in parameters_of(cls).items() if name not in GIVEN_BY_PROGRAM}
            del node["_target_"]
            others.setdefault(cls, []).append({name: defaults[name] for name in node} == node)
        assert all(map(any, others.values())), (factor, others)


def test_presets_build_on_the_meta_device(preset):
    with torch.device("meta"):
        attention = partial_of(composed(f"attention={preset}"))(query_dim=8, key_dim=8)
        context, _ = attention(torch.empty(2, 3, 8), torch.empty(2, 4, 8))
    assert context.shape == (2, 3, attention.output_dim)
    assert all(parameter.is_meta for parameter in attention.parameters())


def test_presets_survive_pickling_and_their_state_loads(build, preset):
    attention = build(preset)
    query, keys = torch.randn(2, 3, 8).double(), torch.randn(2, 4, 8).double()
    for copy in (pickle.loads(pickle.dumps(attention)), build(preset)):
        copy.load_state_dict(attention.state_dict())
        assert torch.equal(copy(query, keys)[0], attention(query, keys)[0])


def test_heads_and_projections_follow_the_model_unless_configured():
    def options(**given):
        attention = Attention(8, 8, score=ScaledDotScore, **given)
        return attention.num_heads, attention.has_projections

    assert options() == (1, False)
    assert options(num_heads=4) == (4, True)
    assert options(suggested_heads=2) == (2, True)
    assert options(suggested_heads=2, num_heads=1) == (1, False)
    assert options(suggested_projections=True) == (1, True)
    assert options(suggested_projections=True, projections=False) == (1, False)


def test_biases_start_at_zero_and_weights_within_their_bound():
    attention = Attention(8, 16, score=AdditiveScore, num_heads=2)
    layers = [layer for layer in attention.modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == 4
    assert attention.output_projection.bias is None
    assert all((layer.bias == 0).all() for layer in layers[:3])
    assert (attention.score.bias == 0).all()
    for weight in (*(layer.weight for layer in layers), attention.score.query_weight, attention.score.key_weight):
        assert 0.5 < weight.abs().max() / (6 / sum(weight.shape[-2:])) ** 0.5 <= 1
    assert attention.score.vector.abs().max() <= attention.score.hidden_size**-0.5


def test_heads_that_do_not_divide_name_both_numbers_and_what_works():
    with pytest.raises(ValueError, match=r"num_heads 4 does not divide the query size 10; these do: 1, 2, 5, 10\."):
        Attention(10, 10, score=ScaledDotScore, num_heads=4)


@pytest.mark.parametrize("score", [DotScore, ScaledDotScore, CosineScore])
def test_scores_that_need_one_size_say_what_works(score):
    with pytest.raises(ValueError, match=r"query_dim 8 and key_dim 6: use the score general or additive, or proj"):
        Attention(8, 6, score=score)
    for works in ({"score": score, "projections": True}, {"score": GeneralScore}, {"score": AdditiveScore}):
        context, _ = Attention(8, 6, **works)(torch.randn(2, 8), torch.randn(3, 6))
        assert context.isfinite().all()


def test_one_plain_head_cannot_be_many_or_change_size():
    with pytest.raises(ValueError, match="use num_heads=1, or projections=true"):
        Attention(8, 8, score=DotScore, num_heads=2, projections=False)
    with pytest.raises(ValueError, match="values' size 8, not 4"):
        Attention(8, 8, score=DotScore, output_dim=4)


def test_a_mask_that_is_not_bool_is_refused():
    attention, query, mask = Attention(8, 8, score=DotScore), torch.randn(2, 3, 8), torch.ones(2, 1, 3)
    memory = attention.prepare(query)
    for call in (lambda: attention(query, query, query, mask), lambda: attention.attend(query, memory, mask)):
        with pytest.raises(ValueError, match=r"mask must be bool \(True = may attend\), got float32"):
            call()


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_vmap_gives_what_leading_dimensions_give_also_where_a_row_is_empty():
    attention = Attention(8, 8, score=ScaledDotScore, num_heads=2)
    vectors, mask = torch.randn(3, 2, 5, 8), torch.rand(3, 2, 1, 5) < 0.6
    mask[1, 0] = False
    context = torch.func.vmap(lambda vectors, mask: attention(vectors, vectors, None, mask)[0])(vectors, mask)
    torch.testing.assert_close(context, attention(vectors, vectors, None, mask)[0])
    assert (context[1, 0] == 0).all()


def test_whether_all_is_true_is_looked_at_only_where_nobody_waits():
    some = torch.tensor([True, False])
    assert masks.surely_all(some | True)
    assert not masks.surely_all(some)
    assert not masks.surely_all(torch.ones(2, dtype=torch.bool, device="meta"))
