"""fairseq 0.12 (fairseq-fixed 0.12.3.1)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from child import Command
from toolkit import Job, Toolkit


class Fairseq(Toolkit):
    name = "fairseq"
    RNN = (
        "--arch lstm --encoder-bidirectional --encoder-hidden-size 128 --encoder-layers 1 --encoder-embed-dim 256 "
        "--decoder-embed-dim 256 --decoder-hidden-size 256 --decoder-out-embed-dim 256 --decoder-layers 1 "
        "--decoder-attention 1 --dropout 0.3 --lr 0.001 --adam-betas (0.9,0.999)"
    )
    TRANSFORMER = (
        "--arch transformer --encoder-layers 3 --decoder-layers 3 --encoder-embed-dim 256 --decoder-embed-dim 256 "
        "--encoder-ffn-embed-dim 1024 --decoder-ffn-embed-dim 1024 --encoder-attention-heads 4 "
        "--decoder-attention-heads 4 --encoder-normalize-before --decoder-normalize-before --dropout 0.1 "
        "--attention-dropout 0.1 --activation-dropout 0.1 --lr 0.0005 --adam-betas (0.9,0.98)"
    )

    def prepare(self, job: Job, many: Path, few: Path) -> list[Command]:
        shutil.rmtree(job.folder / "bin", ignore_errors=True)  # of the round before: it writes over nothing
        data = job.corpus.folder
        flags = f"--source-lang de --target-lang en --trainpref {data}/train --validpref {data}/val "
        flags += f"--testpref {many.with_suffix('')},{few.with_suffix('')} --thresholdsrc 2 --thresholdtgt 2"
        return [Command([job.program("fairseq-preprocess"), *flags.split(), "--destdir", job.folder / "bin"])]

    def train(self, job: Job) -> Command:
        flags = (
            f"--cpu --seed 1 --criterion cross_entropy --optimizer adam --clip-norm 1.0 --lr-scheduler fixed "
            f"--batch-size 64 --max-update {job.updates} --num-workers 0 --disable-validation --no-epoch-checkpoints "
            f"--save-interval 1000 --save-interval-updates {job.updates} --log-format simple "
            f"--log-interval {job.log_every} {self.TRANSFORMER if job.is_transformer else self.RNN}"
        )
        places: list[str | Path] = [job.folder / "bin", "--save-dir", job.folder / "run"]
        return Command([job.program("fairseq-train"), *places, *flags.split()], r"num_updates=(\d+)")

    def decode(self, job: Job, beam: int, source: Path, output: Path) -> Command:
        subset = "test1" if source.stem == "few" else "test"
        flags = (
            f"--cpu --gen-subset {subset} --beam {beam} --batch-size 32 --max-len-a 0 --max-len-b 60 --num-workers 0"
        )
        places: list[str | Path] = [job.folder / "bin", "--path", job.folder / "run" / "checkpoint_last.pt"]
        return Command([job.program("fairseq-generate"), *places, *flags.split()], stdout=output)

    def translations(self, output: Path) -> list[str]:
        found = re.findall(r"^H-(\d+)\t\S+\t(.*)$", output.read_text(encoding="utf-8"), re.MULTILINE)
        return [text for _, text in sorted(found, key=lambda item: int(item[0]))]
