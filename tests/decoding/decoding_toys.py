"""A small language model whose every output can be enumerated, with attention weights that matter."""

import math
from functools import cache
from itertools import product

import torch

from attnfocus.attention import AdditiveScore, Attention
from attnfocus.decoding import DecodingOptions
from attnfocus.models import Seq2Seq
from attnfocus.special import BOS, EOS, PAD

VOCAB = 7
WRITABLE = [token for token in range(VOCAB) if token not in (PAD, BOS, EOS)]


class MarkovModel:
    """Logits by (source's first token, last token, step) and by the token before, which only the state remembers.

    A state that is given to another sentence's memory is noticed, one given to another hypothesis changes the logits.
    """

    def __init__(self, seed: int, end_bias: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.table = 2 * torch.randn(10, VOCAB, 8, VOCAB, generator=generator)
        self.table[..., EOS] += end_bias
        self.before = torch.randn(VOCAB, VOCAB, generator=generator)
        self.batch_sizes: list[int] = []

    def encode(self, source, lengths):
        return (source[:, 0] if source.shape[1] else torch.zeros(len(source), dtype=torch.long), source)

    def start(self, memory):
        return (torch.zeros_like(memory[0]), memory[0] * 100, torch.full_like(memory[0], PAD))

    def step(self, tokens, state, memory, need_weights=False):
        count, signature, before = state
        memory = self.select(memory, torch.arange(len(memory[0])).repeat_interleave(len(tokens) // len(memory[0])))
        assert signature.tolist() == (memory[0] * 100 + count).tolist()  # state and memory of the same sentence
        self.batch_sizes.append(len(tokens))
        logits = self.table[memory[0], tokens, count.clamp(max=7)] + self.before[before]
        weights = self.weights(tokens, count, memory[1]) if need_weights else None
        return logits, (count + 1, signature + 1, tokens), weights

    def weights(self, tokens, count, source):
        """Weights that tell which token was read, at which step: (N, 2 heads, S)."""
        return torch.stack([tokens, count], 1).unsqueeze(-1).expand(-1, -1, source.shape[1]).float()

    def select(self, tree, index):
        return tuple(each.index_select(0, index) for each in tree)

    def log_prob(self, first: int, ids: list[int], end: bool = True) -> float:
        total, before, last = 0.0, PAD, BOS
        for step, token in enumerate([*ids, EOS] if end else ids):
            logits = self.table[first, last, min(step, 7)] + self.before[before]
            total += logits.double().log_softmax(-1)[token].item()
            before, last = last, token
        return total


def looks(tokens, count, size: int):
    """Two heads' weights by tokens and steps (N,): (N, 2, size)."""
    scores = torch.stack([(3.1 * tokens + 1.7 * count), (1.3 * tokens - 2.3 * count)], dim=1)
    return (5 * torch.sin(scores.unsqueeze(-1) + 2 * torch.arange(size))).softmax(dim=-1)


@cache
def looks_at(token: int, step: int, size: int) -> list[list[float]]:
    return looks(torch.tensor([token]), torch.tensor([step]), size)[0].tolist()


class LookingModel(MarkovModel):
    """Its weights are distributions over all source tokens, by the token read and the step."""

    def weights(self, tokens, count, source):
        return looks(tokens, count, source.shape[1])

    def coverage_penalty(self, ids: list[int], size: int) -> float:
        """Wu et al. 2016, eq. 14 with b = 1, as loops over an output of tokens `ids` and EOS."""
        seen = [0.0] * size
        for step, token in enumerate([BOS, *ids]):
            for weights in looks_at(token, step, size):
                for place in range(size):
                    seen[place] += weights[place] / 2
        return sum(math.log(min(each, 1.0)) for each in seen)


def sources(num=6, size=3):
    source = torch.randint(0, 10, (num, size), generator=torch.Generator().manual_seed(3))
    source[:, 0] = torch.arange(num)
    return source, torch.randint(1, size + 1, (num,), generator=torch.Generator().manual_seed(4))


def options(beam_size=1, max_length=6, **changes):
    return DecodingOptions(
        beam_size=beam_size, max_length=max_length, max_length_ratio=0, max_length_constant=max_length, **changes
    )


def all_outputs(longest: int) -> list[list[int]]:
    return [list(ids) for size in range(longest + 1) for ids in product(WRITABLE, repeat=size)]


def seq2seq(**changes):
    """A model far from flat, so that outputs differ."""
    torch.manual_seed(0)
    model = Seq2Seq(
        attention=lambda **sizes: Attention(**sizes, score=AdditiveScore),
        source_vocab_size=12,
        target_vocab_size=12,
        embed_dim=8,
        hidden_size=8,
        **changes,
    )
    for parameter in model.parameters():
        parameter.data *= 3
    return model.eval()
