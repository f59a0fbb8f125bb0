"""Which tokens may not be written next.

Shapes: B sentences, A sentences still being written, K hypotheses of each, V vocabulary, t tokens written so far.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from attnfocus.decoding.options import DecodingOptions
from attnfocus.special import EOS, PAD


@dataclass(frozen=True)
class Constraints:
    """Limits of length and repetition, of all B sentences.

    Attributes:
        max_lengths, min_lengths: (B,) in tokens, EOS not counted.
        max_steps: (B,) in tokens, with EOS where it stands behind the longest outputs too.
        first_end: no output is ended by its maximum before this many tokens; None: they are cut there, not ended.
        has_minimum: whether any minimum is above 0.
        ngram_size: no n-gram of this size is written twice; 0: no limit.
    """

    max_lengths: Tensor
    max_steps: Tensor
    first_end: int | None
    min_lengths: Tensor
    has_minimum: bool
    ngram_size: int

    @classmethod
    def of(cls, options: DecodingOptions, lengths: Tensor) -> "Constraints":
        """For inputs of `lengths` (B,)."""
        longest = options.max_lengths(lengths)
        return cls(
            longest,
            longest + options.ends_at_limit,
            int(longest.min()) if options.ends_at_limit else None,
            options.min_lengths(lengths),
            options.min_length_ratio > 0,
            options.no_repeat_ngram_size,
        )

    @property
    def needs_written(self) -> bool:
        return self.ngram_size > 0

    def forbid(self, log_probs: Tensor, rows: Tensor, written: Tensor | None, length: int) -> None:
        """Set to -inf what may not be written next, in place.

        EOS is forbidden before the minimum length, but not where repetitions leave nothing else. All else is forbidden
        at the maximum length.

        Args:
            log_probs: (A, K, V).
            rows: (A,) which of the B sentences.
            written: (A, K, t) the tokens so far; None unless `needs_written`.
            length: t.
        """
        if written is not None:
            forbid_repeated_ngrams(log_probs, written, self.ngram_size)
        if self.has_minimum:
            too_short = (self.min_lengths[rows] > length).unsqueeze(1)  # (A, 1)
            ends = log_probs[..., EOS].clone()
            log_probs[..., EOS] = ends.masked_fill(too_short, -torch.inf)
            if written is not None:
                nothing_else = log_probs.amax(dim=-1) == -torch.inf
                log_probs[..., EOS] = torch.where(nothing_else, ends, log_probs[..., EOS])
        is_full = self.must_end(rows, length)
        if is_full is not None:
            is_end = torch.arange(log_probs.shape[-1], device=log_probs.device) == EOS
            log_probs.masked_fill_(is_full.view(-1, 1, 1) & ~is_end, -torch.inf)

    def must_end(self, rows: Tensor, length: int) -> Tensor | None:
        """Which of the sentences `rows` (A,) have nothing but EOS to go on with after `length` tokens; None: none."""
        if self.first_end is None or length < self.first_end:
            return None
        return self.max_lengths[rows] <= length


def forbid_repeated_ngrams(log_probs: Tensor, written: Tensor, size: int) -> None:
    """Set to -inf, in place, each token of log_probs (..., V) that would end an n-gram which written (..., t) holds."""
    num_written = written.shape[-1]
    if num_written < size:
        return
    ngrams = written.unfold(-1, size, 1)  # (..., t - size + 1, size)
    newest = written[..., num_written - size + 1 :].unsqueeze(-2)  # (..., 1, size - 1)
    begins_again = (ngrams[..., :-1] == newest).all(dim=-1)
    # PAD, which can never be written, stands for nothing to forbid.
    log_probs.scatter_(-1, torch.where(begins_again, ngrams[..., -1], PAD), -torch.inf)
