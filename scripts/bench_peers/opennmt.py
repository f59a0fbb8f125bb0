"""OpenNMT-py 3.5.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from child import Command
from toolkit import Job, Toolkit


class OpenNMT(Toolkit):
    name = "onmt"

    def prepare(self, job: Job, many: Path, few: Path) -> list[Command]:
        return [Command([job.program("onmt_build_vocab"), "-config", self._config(job), "-n_sample", "-1"])]

    def train(self, job: Job) -> Command:
        return Command([job.program("onmt_train"), "-config", self._config(job)], r"Step\s+(\d+)/")

    def decode(self, job: Job, beam: int, source: Path, output: Path) -> Command:
        flags: dict[str, Any] = {"model": job.folder / f"run_step_{job.updates}.pt", "src": source, "output": output}
        flags |= {"beam_size": beam, "batch_size": 32, "batch_type": "sents", "max_length": 60, "length_penalty": "avg"}
        words = [str(word) for key, value in flags.items() for word in (f"-{key}", value)]
        return Command([job.program("onmt_translate"), *words])

    def _config(self, job: Job) -> Path:
        def pair(split: str) -> dict[str, str]:
            return {f"path_{side}": str(job.corpus.path(split, name)) for side, name in (("src", "de"), ("tgt", "en"))}

        values: dict[str, Any] = {
            "data": {"train": pair("train"), "valid": pair("val")},
            "save_data": str(job.folder / "vocab"),
            "src_vocab": str(job.folder / "vocab.src"),
            "tgt_vocab": str(job.folder / "vocab.tgt"),
            "src_words_min_frequency": 2,
            "tgt_words_min_frequency": 2,
            "overwrite": True,
            "save_model": str(job.folder / "run"),
            "save_checkpoint_steps": job.updates,
            "train_steps": job.updates,
            "valid_steps": 1_000_000,
            "report_every": job.log_every,
            "seed": 1,
            "bucket_size": 29_000,  # its default of 262,144 reads this data nine times before the first update
            "num_workers": 0,
            "batch_type": "sents",
            "batch_size": 64,
            "normalization": "tokens",
            "optim": "adam",
            "max_grad_norm": 1.0,
            "hidden_size": 256,
            "word_vec_size": 256,
            **(self._transformer() if job.is_transformer else self._rnn(job.model == "rnn")),
        }
        path = job.folder / "config.yaml"
        path.write_text(json.dumps(values, indent=1), encoding="utf-8")  # JSON is YAML
        return path

    def _rnn(self, feeding: bool) -> dict[str, Any]:
        return {
            "encoder_type": "brnn",
            "decoder_type": "rnn",
            "rnn_type": "LSTM",
            "layers": 1,
            "bridge": True,
            "input_feed": int(feeding),
            "global_attention": "mlp",
            "dropout": [0.3],
            "learning_rate": 0.001,
            "adam_beta2": 0.999,
        }

    def _transformer(self) -> dict[str, Any]:
        return {
            "encoder_type": "transformer",
            "decoder_type": "transformer",
            "layers": 3,
            "heads": 4,
            "transformer_ff": 1024,
            "position_encoding": True,
            "dropout": [0.1],
            "attention_dropout": [0.1],
            "param_init": 0.0,
            "param_init_glorot": True,
            "learning_rate": 0.0005,
            "adam_beta2": 0.98,
        }
