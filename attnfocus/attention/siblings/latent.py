"""Multi-head latent attention.

Shapes: ... leading dims, H heads, Q queries, K keys, d size of one head, r of its part that turns, c of a latent, Dk
size of a key. Masks are bool, True = may attend.
"""

from typing import Unpack

import torch
from torch import Tensor, nn

from attnfocus.attention import heads, paths
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import LatentKeywords
from attnfocus.attention.memory import Places
from attnfocus.attention.positions.base import NoPosition, Position, PositionFactory
from attnfocus.attention.precision import as_weights
from attnfocus.attention.projections import linear
from attnfocus.attention.scores.base import Score, ScoreFactory
from attnfocus.attention.scores.inner_product import DotScore, ScaledDotScore
from attnfocus.limits import Size


class LatentAttention(Attention):
    """key^h_j = [W_UK^h latent_j; R_j W_KR x_j],  value^h_j = W_UV^h latent_j,  latent_j = W_DKV x_j

    Multi-head latent attention (DeepSeek-AI 2024, sec. 2.1, arXiv:2405.04434). Keys and values of all heads come out of
    one latent of c numbers, and r numbers of a key, which all heads share, bear the position (decoupled rotary
    embedding); query^h_i = [W_Q^h x_i; R_i W_QR^h x_i]. A memory holds the latent and that part of the key, c + r
    numbers for each position in the place of 2 H d. Score, normalizer and pattern work on heads of d + r numbers.
    Queries are not compressed, and latents not normalized.

    One query alone, as in decoding, meets the latents themselves: q . W_UK latent = (W_UK^T q) . latent, and W_UV
    follows behind the weights, which takes 2 H c products for each key and makes no key and no value. Values that are
    given beside the keys have a latent of their own, W_DKV value.

    Cost: that of `Attention` with heads of d + r, and 2 K c H d products for the keys and values.

    Args:
        latent_dim: c; the paper has 4 d, for 128 heads. None: half of H d.
        rotary_dim: r. None: half of d, as in the paper, and even.
        score: scaled_dot or dot.
        position: moves the part that bears it: none, rotary, sinusoidal or learned.
        normalizer, pattern, path, and the rest: as in `Attention`.

    Raises:
        ValueError: another score, a position that adds to scores, a normalizer that follows a decoder's steps, values
            of another size than keys, no projections, key heads that are shared, or as in `Attention`.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        score: ScoreFactory,
        position: PositionFactory = NoPosition,
        latent_dim: Size | None = None,
        rotary_dim: Size | None = None,
        **options: Unpack[LatentKeywords],
    ) -> None:
        num_heads = options.get("num_heads") or options.get("suggested_heads", 1)
        _check_options(key_dim, value_dim, options)
        size = query_dim // num_heads
        turning = max(2, size // 2 + size // 2 % 2) if rotary_dim is None else rotary_dim

        def wider_score(*, query_dim: int, key_dim: int, num_heads: int) -> Score:
            return score(query_dim=query_dim + turning, key_dim=key_dim + turning, num_heads=num_heads)

        def narrower_position(*, num_heads: int, head_dim: int) -> Position:
            return position(num_heads=num_heads, head_dim=turning)

        options["projections"] = True
        super().__init__(query_dim, key_dim, value_dim, score=wider_score, position=narrower_position, **options)
        self._check_factors()
        self.rotary_dim = turning
        self.latent_dim = max(1, query_dim // 2) if latent_dim is None else latent_dim
        self.num_key_heads = 1  # of the memory: one latent for all
        self.query_projection = linear(query_dim, num_heads * (size + turning), options.get("suggested_bias", True))
        self.key_projection = linear(key_dim, self.latent_dim + turning, bias=False)
        self.key_expansion = linear(self.latent_dim, num_heads * size, bias=False)
        self.value_expansion = linear(self.latent_dim, num_heads * size, bias=False)
        del self.value_projection

    def input_projections(self) -> list[nn.Linear]:
        return [self.query_projection, self.key_projection]

    def chosen_path(self, call: paths.Call | None = None) -> paths.PathChoice:
        if call is not None and call.num_queries == 1 and not call.need_weights:
            return paths.PathChoice("plain", "one query alone costs less over the latents than over keys made of them")
        return super().chosen_path(call)

    def prepare_heads(
        self, keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        latents, turning = keys.split((self.latent_dim, self.rotary_dim), dim=-1)
        return torch.cat((latents, self.position.place_keys(turning, first_position)), dim=-1), values

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        query = self.placed(query, keys.shape[-2] - query.shape[-2])
        latents = values if values.shape[-1] else keys[..., : self.latent_dim]  # that the values come out of
        if query.shape[-2] == 1 and keys.shape[-2] > 0:
            self.noted(self.chosen_path(paths.Call(need_weights, 1, keys.shape[-2])))
            context, weights = self._absorbed(query, keys, latents, mask)
            return context, weights if need_weights else None
        of_heads, shared = keys.split((self.latent_dim, self.rotary_dim), dim=-1)
        of_heads = self._expanded(self.key_expansion, of_heads)
        keys = torch.cat((of_heads, shared.expand(*of_heads.shape[:-1], -1)), dim=-1)
        return self.run_path(paths.Work(query, keys, self._expanded(self.value_expansion, latents), mask), need_weights)

    def placed(self, query: Tensor, first_position: int) -> Tensor:
        plain, turning = query.split((self.query_head_dim, self.rotary_dim), dim=-1)
        parts = (plain, self.position.place_queries(turning, first_position), self.normalizer.hints(plain))
        return torch.cat([part for part in parts if part is not None], dim=-1)

    def read(self, query: Tensor) -> tuple[Tensor, Tensor | None]:
        size = self.query_head_dim + self.rotary_dim
        return (query, None) if query.shape[-1] == size else (query[..., :size], query[..., size:])

    def _absorbed(self, query: Tensor, keys: Tensor, latents: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """One query (..., H, 1, d + r or more) over keys (..., 1, K, c + r) and latents (..., 1, K, c)."""
        expansions = (self.key_expansion.weight, self.value_expansion.weight)
        of_keys, of_values = (each.unflatten(0, (self.num_heads, -1)) for each in expansions)  # (H, d, c)
        query, hints = self.read(query)
        plain, turning = query.split((self.query_head_dim, self.rotary_dim), dim=-1)
        asked = torch.cat((torch.matmul(plain, of_keys), turning), dim=-1)  # (..., H, 1, c + r)
        # The heads are rows of one product, which copies no latents for them.
        scores = self.score(asked.squeeze(-2), keys.squeeze(-3)).unsqueeze(-2)  # (..., H, 1, K)
        scores, mask = self.masked_scores(scores, query, mask, Places.of(1, keys.shape[-2], keys.device))
        weights = as_weights(self.normalizer.with_hints(scores, mask, hints), query)
        mixed = paths.mixed(weights.squeeze(-2), latents.squeeze(-3), self.dropout_now)  # (..., H, c)
        return torch.matmul(mixed.unsqueeze(-2), of_values.mT), weights

    def _project(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and what turns (..., K, c + r), and latents of values (..., K, c), (..., K, 0) of the keys again."""
        packed = self.key_projection(keys)
        of_values = packed[..., :0] if values is keys else self.key_projection(values)[..., : self.latent_dim]
        return packed, of_values

    def _expanded(self, expansion: nn.Linear, latents: Tensor) -> Tensor:
        """(..., 1, K, c) -> (..., H, K, d)."""
        return heads.split(expansion(latents.squeeze(-3)), self.num_heads)

    def _query_heads(self, query: Tensor) -> Tensor:
        return heads.split(self.query_projection(query), self.num_heads)

    def _check_factors(self) -> None:
        if not isinstance(self.score, DotScore | ScaledDotScore):
            raise ValueError(
                f"LatentAttention compares queries with latents by inner products alone, not by "
                f"{type(self.score).__name__}: use attention/score=scaled_dot or dot, or attention=multi_head."
            )
        if self.score.qk_norm != "none":
            raise ValueError(
                f"attention.score.qk_norm={self.score.qk_norm} normalizes keys, which LatentAttention does not make in "
                "decoding: use qk_norm=none, or attention=multi_head."
            )
        if self.position.has_bias or self.position.reads_scores:
            raise ValueError(
                f"LatentAttention has its position in a part of each key, and {type(self.position).__name__} adds to "
                "scores: use attention/position=rotary or none, or attention=multi_head."
            )
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows where a decoder looked step by step, which LatentAttention does not "
                "know: use attention/normalizer=softmax."
            )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, latent_dim={self.latent_dim}, rotary_dim={self.rotary_dim}"


def _check_options(key_dim: int, value_dim: int | None, options: LatentKeywords) -> None:
    if value_dim not in (None, key_dim):
        raise ValueError(
            f"LatentAttention makes keys and values of one latent, got key_dim {key_dim} and value_dim {value_dim}: "
            "use attention=multi_head."
        )
    if options.get("projections") is False:
        raise ValueError("LatentAttention is made of its projections: use projections=true, or attention=scaled_dot.")
    num_heads, num_key_heads = options.get("num_heads"), options.get("num_key_heads")
    if num_key_heads not in (None, num_heads):
        raise ValueError(
            "LatentAttention has one latent for all heads, which share no key heads besides: use num_key_heads=null."
        )
