"""The data that all toolkits train on, what an update costs at least, and the score of translations."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sacrebleu.metrics.bleu import BLEU

NUM_SPECIAL = 4  # padding, unknown, beginning and end, in every toolkit
WIDTH, FEEDFORWARD, NUM_LAYERS = 256, 1024, 3

MATRIX_RATE = """
import time, torch
a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
def seconds():
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(5):
        a @ b
    return time.perf_counter() - wall, time.process_time() - cpu
seconds()
best = [min(each) for each in zip(*(seconds() for _ in range(15)))]
print([5 * 2 * 1024**3 / each for each in best])
"""


@dataclass(frozen=True)
class Corpus:
    """A folder with {train,val,test}.{de,en}, lower-cased and tokenized, line by line."""

    folder: Path

    def path(self, split: str, language: str) -> Path:
        return self.folder / f"{split}.{language}"

    def lines(self, split: str, language: str) -> list[str]:
        return self.path(split, language).read_text(encoding="utf-8").removesuffix("\n").split("\n")

    def lengths(self) -> list[tuple[int, int]]:
        """Words of the source and of the target of each training pair."""
        source, target = self.lines("train", "de"), self.lines("train", "en")
        return [(len(left.split()), len(right.split())) for left, right in zip(source, target, strict=True)]

    def check(self) -> None:
        """Raises: SystemExit: a file is missing, or two do not belong together."""
        for split in ("train", "val", "test"):
            paths = [self.path(split, language) for language in ("de", "en")]
            for path in paths:
                if not path.is_file():
                    raise SystemExit(f"bench_peers: --data: {path.resolve()} is missing.")
            if len(self.lines(split, "de")) != len(self.lines(split, "en")):
                raise SystemExit(f"bench_peers: --data: {paths[0]} and {paths[1]} have different numbers of lines.")

    def vocabulary_size(self, language: str) -> int:
        """Words seen twice or more, and the special tokens."""
        counts = Counter(word for line in self.lines("train", language) for word in line.split())
        return NUM_SPECIAL + sum(count >= 2 for count in counts.values())

    def bleu(self, hypotheses: Path) -> float:
        """Of translations of test: tokens as they are."""
        outputs = hypotheses.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        return float(BLEU(tokenize="none", force=True).corpus_score(outputs, [self.lines("test", "en")]).score)


def training_flops(corpus: Corpus, model: str) -> float:
    """Multiplications and additions of matrix products, per word of source and target, that training cannot avoid.

    Forward once and backward twice as much; no padding; element-wise work, and the scores' tanh, not counted.
    """
    vocabulary, pairs = corpus.vocabulary_size("en"), corpus.lengths()
    count = _transformer if model == "transformer" else _rnn
    feeding = model == "rnn"
    forward = sum(count(source, target + 1, vocabulary, feeding) for source, target in pairs)
    return 3 * forward / sum(source + target for source, target in pairs)


def _rnn(source: int, target: int, vocabulary: int, feeding: bool) -> float:
    """Bidirectional LSTM of half the width, additive attention, LSTM; each term is inputs times outputs."""
    half = WIDTH // 2
    encoder = 2 * 4 * half * (WIDTH + half) + WIDTH * WIDTH  # gates of both directions, and the keys
    cell = 4 * WIDTH * (WIDTH * (3 if feeding else 2))
    decoder = cell + WIDTH * WIDTH + 2 * WIDTH * WIDTH + WIDTH * vocabulary  # gates, query, readout, output
    return 2.0 * (source * encoder + target * decoder + 2 * source * target * WIDTH)


def _transformer(source: int, target: int, vocabulary: int, feeding: bool) -> float:
    feed = 2 * WIDTH * FEEDFORWARD
    encoder = NUM_LAYERS * (4 * WIDTH * WIDTH + feed)
    keys = NUM_LAYERS * 2 * WIDTH * WIDTH
    decoder = NUM_LAYERS * (6 * WIDTH * WIDTH + feed) + WIDTH * vocabulary
    pairs = NUM_LAYERS * 2 * WIDTH * (source * source + target * target / 2 + source * target)
    return 2.0 * (source * (encoder + keys) + target * decoder + pairs)


def matrix_rate(env: Mapping[str, str]) -> tuple[float, float]:
    """What float32 matrices of 1024 x 1024 are multiplied at here: operations per second, and per CPU second."""
    done = subprocess.run([sys.executable, "-c", MATRIX_RATE], env=env, capture_output=True, text=True, check=True)
    wall, cpu = json.loads(done.stdout)
    return float(wall), float(cpu)
