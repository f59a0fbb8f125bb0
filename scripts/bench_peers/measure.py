"""What is measured of one toolkit: the start, training, decoding."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from child import Command, Moment, Watched, environment, watch
from toolkit import Job, Toolkit

BEAMS = (1, 5)
BATCH_SIZE = 64
NUM_FEW = 32  # lines, one batch: fairseq leaves out batches of fewer than 8
NUM_COPIES = 4  # of test, one after the other: the start takes as long as one of them, and varies


@dataclass(frozen=True)
class Training:
    """A run of training; words are those of source and target.

    Attributes:
        words_per_second, words_per_cpu_second: in the window after the warm-up.
        others_cores: cores that other processes took in that window, on average.
        cpu_seconds: of the whole command.
    """

    words_per_second: float
    words_per_cpu_second: float
    others_cores: float
    cpu_seconds: float
    peak_rss_mib: float


@dataclass(frozen=True)
class Decoding:
    """Sentences/s, of several copies of test less the start: what the command took minus what it took for few lines.

    Attributes:
        output_words: of a translation, on average: speeds compare only where these are alike.
    """

    sentences_per_second: float
    sentences_per_cpu_second: float
    bleu: float
    output_words: float


class Bench:
    """One toolkit and what it is to do.

    Args:
        job: its folder is emptied first.
        warm: the first updates, which are not in the window that is measured.
        threads: of each process.
        num_few: lines whose decoding is taken for the start.
    """

    def __init__(self, toolkit: Toolkit, job: Job, warm: int, threads: int, num_few: int = NUM_FEW) -> None:
        self.toolkit, self.job, self.warm, self.num_few = toolkit, job, warm, num_few
        work, corpus = job.folder, job.corpus
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self.env = environment(threads, job.python)
        pairs = corpus.lengths()
        self.words_per_update = BATCH_SIZE * sum(map(sum, pairs)) / len(pairs)
        self.many, self.few = work / "many.de", work / "few.de"
        for language in ("de", "en"):
            lines = corpus.lines("test", language)
            for path, chosen in ((self.many, lines * NUM_COPIES), (self.few, lines[:num_few])):
                path.with_suffix(f".{language}").write_text("\n".join(chosen) + "\n", encoding="utf-8")

    def start(self) -> dict[str, float]:
        """Seconds, wall and CPU, that preparing takes, and from the command to the first update."""
        prepared = [self._watch(command, "prepare") for command in self.toolkit.prepare(self.job, self.many, self.few)]
        self._forget_run()
        job = replace(self.job, updates=2, log_every=1)
        first = watch(self.toolkit.train(job), self.env, self._log("start"), stop_at_first=True).moments[0]
        return {
            "prepare_seconds": sum(each.wall for each in prepared),
            "prepare_cpu_seconds": sum(each.cpu for each in prepared),
            "first_update_seconds": first.wall,
            "first_update_cpu_seconds": first.cpu,
        }

    def train(self) -> Training:
        self._forget_run()
        watched = self._watch(self.toolkit.train(self.job), "train")
        return training_of(watched, self.warm, self.words_per_update)

    def decode(self) -> dict[str, dict[str, float]]:
        """Of the run that `train` left, by beam."""
        return {f"beam{beam}": asdict(self._decode(beam)) for beam in BEAMS}

    def _decode(self, beam: int) -> Decoding:
        output = self.job.folder / f"beam{beam}"
        few = self._watch(self.toolkit.decode(self.job, beam, self.few, output), f"few{beam}")
        all_lines = self._watch(self.toolkit.decode(self.job, beam, self.many, output), f"beam{beam}")
        translations = self.toolkit.translations(output)
        number = len(translations) - self.num_few
        wall, cpu = all_lines.wall - few.wall, all_lines.cpu - few.cpu
        translations = translations[: len(translations) // NUM_COPIES]
        output.write_text("\n".join(translations) + "\n", encoding="utf-8")
        words = sum(len(text.split()) for text in translations) / len(translations)
        return Decoding(number / wall, number / cpu, self.job.corpus.bleu(output), words)

    def _forget_run(self) -> None:
        shutil.rmtree(self.job.folder / "run", ignore_errors=True)

    def _watch(self, command: Command, name: str) -> Watched:
        return watch(command, self.env, self._log(name))

    def _log(self, name: str) -> Path:
        return self.job.folder / f"{name}.log"


def training_of(watched: Watched, warm: int, words_per_update: float) -> Training:
    """The figures of a run, from its lines of progress.

    Raises:
        SystemExit: fewer than two of them after the warm-up.
    """
    window = [moment for moment in watched.moments if moment.update >= warm]
    if len(window) < 2:
        raise SystemExit(f"bench_peers: --updates: no window after {warm} updates of warm-up. Give more.")
    first, last = window[0], window[-1]
    words = (last.update - first.update) * words_per_update
    cpu, wall = last.cpu - first.cpu, last.wall - first.wall
    others = (_others(last) - _others(first)) / wall
    return Training(words / wall, words / cpu, max(0.0, others), watched.cpu, watched.rss_mib)


def _others(moment: Moment) -> float:
    return moment.machine - moment.cpu
