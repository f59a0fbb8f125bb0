"""attnfocus."""

from __future__ import annotations

from pathlib import Path

from child import Command
from toolkit import Job, Toolkit


class Attnfocus(Toolkit):
    name = "attnfocus"
    RNN = ("model=seq2seq", "attention=additive", "model.embed_dim=256", "model.hidden_size=256", "model.dropout=0.3")
    TRANSFORMER = (
        *("model=transformer_seq2seq", "model.embed_dim=256", "model.num_encoder_layers=3"),
        *("model.num_decoder_layers=3", "model.num_heads=4", "model.feedforward_dim=1024", "model.norm=pre"),
        *("attention=multi_head", "attention.dropout=0.1", "model.dropout=0.1", "optimizer.beta2=0.98"),
    )

    def train(self, job: Job) -> Command:
        data, run = job.corpus, job.folder / "run"
        few = {language: self._first_lines(job, language) for language in ("de", "en")}
        feeding = str(job.model == "rnn").lower()
        sizes = self.TRANSFORMER if job.is_transformer else (*self.RNN, f"model.input_feeding={feeding}")
        options = {
            "dataset.train": data.path("train", "de"),
            "dataset.train_target": data.path("train", "en"),
            **{f"dataset.{split}": few["de"] for split in ("valid", "test")},
            **{f"dataset.{split}_target": few["en"] for split in ("valid", "test")},
            "dataset.tokenizer.kind": "whitespace",
            "dataset.tokenizer.shared": "false",
            "dataset.tokenizer.vocab_size": 1_000_000,
            "dataset.tokenizer.min_frequency": 2,
            "dataset.clean.deduplicate": "false",
            "model.tied_embeddings": "none",
            "optimizer.lr": 0.0005 if job.is_transformer else 0.001,
            "scheduler.warmup_steps": 0,
            "trainer.batch_size": 64,
            "trainer.max_epochs": "null",
            "trainer.max_steps": job.updates,
            "trainer.evaluate_every_steps": job.updates,
            "trainer.log_every_steps": job.log_every,
            "decoding.max_length": 60,
            "decoding.beam_size": 1,
            "focus.num_samples": 0,
            "device": "cpu",
            "run_dir": run,
        }
        words = [*self._command(job, "train"), "dataset=parallel_text", "scheduler=constant", *sizes]
        words += [f"{key}={value}" for key, value in options.items()]
        return Command(words, r'"step": (\d+), .*"split": "train"', run / "metrics.jsonl")

    def decode(self, job: Job, beam: int, source: Path, output: Path) -> Command:
        options = {"run": job.folder / "run", "input": source, "checkpoint": "last", "batch_size": 32, "device": "cpu"}
        options |= {"decoding.beam_size": beam, "decoding.length_penalty": 1.0}
        words = [*self._command(job, "predict"), *(f"{key}={value}" for key, value in options.items())]
        return Command(words, stdout=output)

    def _command(self, job: Job, verb: str) -> list[str | Path]:
        return [job.python, "-m", "attnfocus", verb]

    def _first_lines(self, job: Job, language: str) -> Path:
        """Two pairs in place of valid and test: every run of ours ends with an evaluation of both."""
        path = job.folder / f"two.{language}"
        path.write_text("\n".join(job.corpus.lines("val", language)[:2]) + "\n", encoding="utf-8")
        return path
