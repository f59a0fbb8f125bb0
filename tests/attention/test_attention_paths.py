"""The paths give the same numbers, the choice between them has a reason, and what was asked for runs or is refused."""

import sys

import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import flex_attention as torch_flex
from torch.overrides import TorchFunctionMode

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    Call,
    CausalPattern,
    CosineScore,
    DotScore,
    GeneralScore,
    PathChoice,
    Pattern,
    Position,
    ScaledDotScore,
    Softmax,
)
from attnfocus.attention.paths.flex import flex

# torch's own, while it looks at the inputs of FlexAttention.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
    pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile"),
]

B, L, D = 2, 7, 32


class Near(Pattern):
    """A window of one to each side, by blocks of two; the first position sees and is seen by all."""

    same_sequence_only = True
    block_size = 2
    num_global = 1

    def allows(self, places):
        is_first = (places.queries.unsqueeze(-1) == 0) | (places.keys.unsqueeze(-2) == 0)
        return (places.offsets.abs() <= 1) | is_first

    def blocks(self, num_blocks):
        table = torch.arange(num_blocks).unsqueeze(-1) + torch.arange(-1, 2)
        return table.masked_fill((table < 0) | (table >= num_blocks), -1)


class Picky(Pattern):
    is_selective = True

    def allows(self, places):
        return None


class Distance(Position):
    """A learned number per head times the distance, with a kink at 0."""

    has_bias = True

    def __init__(self, *, num_heads, head_dim):
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.slope = torch.nn.Parameter(torch.linspace(-0.5, 0.7, num_heads).view(num_heads, 1, 1))

    def bias(self, query, offsets):
        return self.slope * torch.where(offsets < 0, offsets, 2 * offsets).unsqueeze(-3).to(self.slope.dtype)


class Asking(Distance):
    bias_needs_query = True


class Halved(Softmax):
    def forward(self, scores, mask):
        return super().forward(scores, mask) / 2


class Stepwise(Softmax):
    uses_history = True


class OwnWeights(Attention):
    def weigh(self, query, keys, mask, places):
        return super().weigh(query, keys, mask, places)


class Forced(Attention):
    """Computes by a path that is not asked whether it can."""

    forced = "plain"

    def chosen_path(self, call=None):
        return PathChoice(self.forced, "a test")


class ByCompiledFlex(Attention):
    def run_path(self, work, need_weights):
        return flex(self, work, dropout=0.0, kernel=torch.compile(torch_flex.flex_attention))


def attention_of(cls=Attention, score=ScaledDotScore, num_heads=2, **options):
    return cls(D, D, score=score, num_heads=num_heads, **options)


def results(attention, path, inputs, mask):
    """Context and all gradients of a `Forced` one."""
    attention.forced = path
    query, *others = (tensor.clone().requires_grad_() for tensor in inputs)
    context, _ = attention(query, *others, mask)
    place = torch.arange(context.numel(), dtype=context.dtype).view_as(context)
    leaves = [query, *others, *attention.parameters()]
    return [context, *torch.autograd.grad((context * place.cos()).sum(), leaves)]


MASKS = {
    "none": None,
    "padding": torch.arange(L) < torch.tensor([[[L]], [[3]]]),
    "an empty item": torch.arange(L) < torch.tensor([[[L]], [[0]]]),
    "of each query": torch.rand(B, 4, L, generator=torch.Generator().manual_seed(5)) < 0.5,
    "for all items": torch.rand(4, L, generator=torch.Generator().manual_seed(6)) < 0.5,
    "queries alone": torch.rand(4, 1, generator=torch.Generator().manual_seed(7)) < 0.5,
    "keys alone": torch.rand(L, generator=torch.Generator().manual_seed(8)) < 0.5,
}


@pytest.fixture
def flex_on_cpu(monkeypatch):
    """torch keeps FlexAttention's backward pass from CPUs, where it is slow but right: enough to compare with.

    It has no public name for this.
    """
    monkeypatch.setattr(torch_flex, "_validate_device", lambda *tensors: None)


@pytest.fixture(params=[True, False], ids=["triton", "no triton"])
def has_triton(request, monkeypatch, tmp_path):
    """Whether a package of this name can be imported; it never is."""
    if request.param:
        (tmp_path / "triton.py").touch()
        monkeypatch.delitem(sys.modules, "triton", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
    else:
        monkeypatch.setitem(sys.modules, "triton", None)
    return request.param


@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("pattern", "position"), [("full", None), ("causal", Distance), ("near", None)])
def test_flex_equals_plain_forward_and_backward(flex_on_cpu, mask, pattern, position):
    torch.manual_seed(1)
    score = {"full": CosineScore, "causal": GeneralScore, "near": DotScore}[pattern]
    options = {"full": {}, "causal": {"pattern": CausalPattern}, "near": {"pattern": Near}}[pattern]
    options |= {} if position is None else {"position": position}
    attention = attention_of(Forced, score, num_key_heads=1, **options).double()
    inputs = [torch.randn(B, size, D, dtype=torch.float64) for size in (4, L, L)]
    found, wanted = (results(attention, path, inputs, MASKS[mask]) for path in ("flex", "plain"))
    torch.testing.assert_close(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("leading", [(), (3,), (2, 1, 3)])
def test_flex_takes_any_number_of_leading_dims(flex_on_cpu, leading):
    torch.manual_seed(2)
    attention = attention_of(Forced, pattern=Near, position=Distance).double()
    inputs = [torch.randn(*leading, L, D, dtype=torch.float64) for _ in range(3)]
    mask = torch.rand(*leading, 1, L) < 0.7
    found, wanted = (results(attention, path, inputs, mask) for path in ("flex", "plain"))
    torch.testing.assert_close(found, wanted)
    one_query = [inputs[0].reshape(-1, L, D)[0], *inputs[1:]]  # for the whole batch
    found, wanted = (results(attention, path, one_query, mask) for path in ("flex", "plain"))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("sizes", [(0, L), (L, 0)])
def test_flex_of_nothing_is_nothing(sizes):
    attention = attention_of(Forced)
    attention.forced = "flex"
    context, _ = attention(torch.randn(B, sizes[0], D), torch.randn(B, sizes[1], D))
    assert context.shape == (B, sizes[0], D)
    assert (context == 0).all()


@pytest.mark.slow
@torch.no_grad()
def test_the_compiled_flex_kernel_equals_plain():
    """Its CPU version, which has no backward pass: that the rule and the bias can be compiled is seen here too."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("torch compiles FlexAttention for CPUs with AVX2 alone")
    for length in (300, 150):
        compiled, plain = (attention_of(cls, pattern=Near, position=Distance) for cls in (ByCompiledFlex, Attention))
        compiled.load_state_dict(plain.state_dict())
        inputs = [torch.randn(B, length, D) for _ in range(3)]
        mask = torch.arange(length) < torch.tensor([[[length]], [[100]]])
        expected, _ = plain(*inputs, mask, need_weights=True)
        torch.testing.assert_close(compiled(*inputs, mask)[0], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("path", ["sdpa", "chunked"])
@pytest.mark.parametrize("mask", [name for name in MASKS if "quer" not in name and name != "for all items"])
@pytest.mark.parametrize("length", [L, 2 * L])
def test_every_other_path_equals_plain(path, mask, length):
    torch.manual_seed(3)
    attention = attention_of(Forced, pattern=Near, position=Distance).double()
    attention.chunk_weights = 20  # several chunks
    inputs = [torch.randn(B, length, D, dtype=torch.float64) for _ in range(3)]
    given = MASKS[mask] if MASKS[mask] is None else MASKS[mask].repeat_interleave(length // L, dim=-1)
    found, wanted = (results(attention, name, inputs, given) for name in (path, "plain"))
    torch.testing.assert_close(found, wanted)


class LargestBatch(TorchFunctionMode):
    """Of the calls of the fused kernel."""

    size = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.scaled_dot_product_attention:
            self.size = max(self.size, *(len(tensor) for tensor in args[:3]))
        return function(*args, **kwargs or {})


@torch.no_grad()
def test_the_fused_kernel_gets_no_more_items_than_one_on_cuda_can_take():
    leading = 256, 257
    attention = Attention(2, 2, score=ScaledDotScore, position=Distance, path="sdpa")
    inputs = [torch.randn(*leading, size, 2) for size in (2, 3, 3)]
    mask = torch.rand(257, 1, 3) < 0.7
    with LargestBatch() as largest:
        context, _ = attention(*inputs, mask)
    assert 0 < largest.size < 2**16
    torch.testing.assert_close(context, attention(*inputs, mask, need_weights=True)[0])


SMALL = Call(num_queries=L, num_keys=L, num_rows=4)
LARGE = Call(num_queries=2048, num_keys=2048, num_rows=4)
ON_CUDA = Call(num_queries=2048, num_keys=2048, num_rows=4, device="cuda")
CHOICES = {
    "weights": (attention_of(), Call(need_weights=True), "plain", "weights were asked for"),
    "inner product": (attention_of(), SMALL, "sdpa", "ScaledDotScore with Softmax"),
    "other score": (attention_of(score=AdditiveScore), SMALL, "plain", "AdditiveScore is no inner product"),
    "other normalizer": (attention_of(normalizer=Halved), SMALL, "plain", "not by Halved"),
    "selective": (attention_of(pattern=Picky), SMALL, "plain", "Picky looks at the scores"),
    "own weights": (attention_of(OwnWeights), SMALL, "plain", "OwnWeights makes its weights"),
    "too large": (
        attention_of(score=AdditiveScore),
        Call(num_queries=2**13, num_keys=2**13, num_rows=2),
        "chunked",
        "AdditiveScore is no inner product of query and key, and its weights would not fit well in memory",
    ),
    "blocks": (attention_of(pattern=Near), LARGE, "chunked", "Near goes by blocks, 3 of 1024"),
    "blocks of a slow score": (
        attention_of(score=AdditiveScore, pattern=Near),
        Call(num_queries=8, num_keys=8),
        "chunked",
        "3 of 4 for each query",
    ),
    "too few blocks": (attention_of(pattern=Near), Call(num_queries=24, num_keys=24), "sdpa", "ScaledDot"),
    "blocks of one query": (attention_of(pattern=Near), Call(num_queries=1, num_keys=64), "sdpa", "ScaledDotScore"),
    "steps": (attention_of(normalizer=Stepwise), SMALL, "plain", "takes its queries one by one"),
    "asked for": (attention_of(path="chunked"), SMALL, "chunked", "attention.path=chunked"),
    "asked for plain": (attention_of(path="plain"), SMALL, "plain", "attention.path=plain"),
    "nothing dense on cuda": (attention_of(), ON_CUDA, "sdpa", "ScaledDotScore"),
    "causal on cuda": (attention_of(pattern=CausalPattern), ON_CUDA, "sdpa", "ScaledDotScore"),
}
DENSE = {
    "rule": (attention_of(pattern=Near), ON_CUDA, "what Near says"),
    "bias": (attention_of(position=Distance), ON_CUDA, "what Distance says"),
    "causal with padding": (
        attention_of(pattern=CausalPattern),
        Call(num_queries=2048, num_keys=2048, device="cuda", has_mask=True),
        "what CausalPattern says",
    ),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_choice_has_its_reason(case):
    attention, call, name, reason = CHOICES[case]
    choice = attention.chosen_path(call)
    assert choice.name == name
    assert reason in choice.reason


@pytest.mark.parametrize("case", DENSE)
def test_a_gpu_computes_what_would_be_dense_by_flex(case, has_triton):
    attention, call, reason = DENSE[case]
    choice = attention.chosen_path(call)
    assert (choice.name == "flex") == has_triton
    assert (reason in choice.reason) == has_triton
    dropping = attention_of(pattern=Near, dropout=0.1)
    assert dropping.train().chosen_path(ON_CUDA).name == "chunked"


@pytest.mark.parametrize(("path", "scored"), [("plain", [L]), ("chunked", [1] * L), ("sdpa", [])])
def test_a_path_that_was_asked_for_is_what_runs(path, scored):
    """Seen by how many queries the score sees at a time: all, one chunk, or none, as the fused kernel multiplies."""
    queries = []

    class Watched(ScaledDotScore):
        def forward(self, query, keys):
            queries.append(query.shape[-2])
            return super().forward(query, keys)

    attention = attention_of(score=Watched, path=path)
    attention.chunk_weights = 1
    attention(torch.randn(B, L, D), torch.randn(B, L, D))
    assert queries == scored


REFUSED = {
    "score": ({"score": AdditiveScore}, "AdditiveScore is no inner product"),
    "normalizer": ({"normalizer": Halved}, "not by Halved"),
    "selective": ({"pattern": Picky}, "Picky looks at the scores"),
    "own weights": ({"cls": OwnWeights}, "OwnWeights makes its weights"),
    "steps": ({"normalizer": Stepwise}, "one by one"),
}
REFUSED_BY_FLEX = {
    "bias": ({"position": Asking}, "the bias of Asking depends on the query"),
    "dropout": ({"dropout": 0.25}, "drops no weights, and dropout is 0.25"),
    "small heads": ({"num_heads": 4}, "heads of 16 numbers or more, not 8"),
}


@pytest.mark.parametrize(
    ("path", "options", "reason"),
    [
        *((path, *REFUSED[case]) for case in REFUSED for path in ("sdpa", "flex")),
        *(("flex", *REFUSED_BY_FLEX[case]) for case in REFUSED_BY_FLEX),
        ("chunked", *REFUSED["steps"]),
    ],
)
def test_a_path_that_cannot_is_refused_when_it_is_asked_for(path, options, reason):
    with pytest.raises(ValueError, match=reason) as refusal:
        attention_of(path=path, **options)
    assert f"path={path}" in str(refusal.value)
    assert "path=auto" in str(refusal.value)


@pytest.mark.parametrize("call", [Call(), Call(device="cuda", dtype=torch.float64)])
def test_flex_is_refused_where_it_cannot_run(call, has_triton):
    attention = attention_of(path="flex")
    if not has_triton:
        with pytest.raises(ValueError, match="triton, which is not installed"):
            attention.chosen_path(Call(device="cuda"))
        return
    with pytest.raises(
        ValueError, match=r"path=flex cannot run here: .*(device is cpu|not in float64)\. Use path=auto"
    ):
        attention.chosen_path(call)
    assert attention.chosen_path(Call(device="cuda", dtype=torch.bfloat16)).name == "flex"
    with pytest.raises(ValueError, match="device is cpu"):
        attention(torch.randn(B, L, D), torch.randn(B, L, D))
