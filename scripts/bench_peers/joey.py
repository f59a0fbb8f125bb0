"""JoeyNMT 2.3.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from child import Command
from toolkit import Job, Toolkit


class Joey(Toolkit):
    name = "joey"

    def train(self, job: Job) -> Command:
        config = self._config(job, job.folder / "train.yaml", {"batch_type": "sentence"})
        return Command([job.python, "-m", "joeynmt", "train", config, "-t"], r"Step:\s+(\d+),")

    def decode(self, job: Job, beam: int, source: Path, output: Path) -> Command:
        run = job.folder / "run"
        testing = {
            "load_model": str(run / "latest.ckpt"),
            "beam_size": beam,
            "beam_alpha": 1,
            "batch_size": 32,
            "max_output_length": 60,
            "generate_unk": True,
        }
        config = self._config(job, job.folder / f"decode{beam}.yaml", testing, run)
        return Command([job.python, "-m", "joeynmt", "translate", config], stdin=source, stdout=output)

    def _config(self, job: Job, path: Path, testing: dict[str, Any], trained: Path | None = None) -> Path:
        def side(language: str, vocabulary: str) -> dict[str, Any]:
            known = {} if trained is None else {"voc_file": str(trained / vocabulary)}
            words = {"level": "word", "max_length": 100, "voc_min_freq": 2, "tokenizer_cfg": {"pretokenizer": "none"}}
            return {"lang": language, **words, **known}

        data = {name: str(job.corpus.folder / split) for name, split in (("train", "train"), ("dev", "val"))}
        values = {
            "name": "bench",
            "model_dir": str(job.folder / "run"),
            "use_cuda": False,
            "random_seed": 1,
            "data": {
                **data,
                "test": str(job.corpus.folder / "test"),
                "dataset_type": "plain",
                "src": side("de", "src_vocab.txt"),
                "trg": side("en", "trg_vocab.txt"),
            },
            "testing": testing,
            "training": self._training(job),
            "model": self._transformer() if job.is_transformer else self._rnn(job.model == "rnn"),
        }
        path.write_text(json.dumps(values, indent=1), encoding="utf-8")
        return path

    def _training(self, job: Job) -> dict[str, Any]:
        return {
            "optimizer": "adam",
            "adam_betas": [0.9, 0.98 if job.is_transformer else 0.999],
            "learning_rate": 0.0005 if job.is_transformer else 0.001,
            "scheduling": "exponential",  # 2.3.0 refuses a constant rate
            "decrease_factor": 1.0,
            "learning_rate_min": 0.0001,
            "clip_grad_norm": 1.0,
            "normalization": "tokens",
            "batch_size": 64,
            "batch_type": "sentence",
            "epochs": 1000,
            "updates": job.updates,
            "logging_freq": job.log_every,
            "validation_freq": 1_000_000,
            "overwrite": True,
        }

    def _rnn(self, feeding: bool) -> dict[str, Any]:
        both: dict[str, Any] = {"type": "recurrent", "rnn_type": "lstm", "num_layers": 1, "dropout": 0.3}
        both |= {"embeddings": {"embedding_dim": 256, "dropout": 0.3}}
        attending = {"init_hidden": "bridge", "input_feeding": feeding, "attention": "bahdanau"}
        return {
            "initializer": "xavier_uniform",
            "embed_initializer": "normal",
            "embed_init_weight": 0.1,
            "encoder": {**both, "hidden_size": 128, "bidirectional": True},
            "decoder": {**both, "hidden_size": 256, "hidden_dropout": 0.3, **attending},
        }

    def _transformer(self) -> dict[str, Any]:
        both: dict[str, Any] = {
            "type": "transformer",
            "num_layers": 3,
            "num_heads": 4,
            "hidden_size": 256,
            "ff_size": 1024,
        }
        both |= {"dropout": 0.1, "layer_norm": "pre"}
        both |= {"embeddings": {"embedding_dim": 256, "scale": True, "dropout": 0.1}}
        return {
            "initializer": "xavier_uniform",
            "embed_initializer": "normal",
            "embed_init_weight": 0.0625,
            "encoder": both,
            "decoder": both,
        }
