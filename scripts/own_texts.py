"""How the defaults for own texts compare with a linear model: `python scripts/own_texts.py --data FOLDER`.

Six public sets are written as tables, as a user would bring them, and read through `dataset=labelled_text`: nothing is
chosen by the name of a set. Each model is trained with its defaults, once for each seed, and the linear model of
`baseline=linear` is fitted on the same rows. FOLDER holds the sets as their authors publish them.
"""

import argparse
import csv
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import mean
from typing import Any

Rows = list[tuple[str, str]]  # text and label


def text_of(path: Path, encoding: str = "utf-8") -> str:
    return gzip.decompress(path.read_bytes()).decode(encoding)


def lines_of(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    return (line for line in text_of(path, encoding).split("\n") if line.strip())


def trec(data: Path) -> dict[str, Rows]:
    def rows(split: str) -> Rows:
        lines = lines_of(data / f"mr_trec/TREC.{split}.gz", "latin-1")
        return [(text, name.split(":")[0]) for name, text in (line.split(" ", 1) for line in lines)]

    return {split: rows(split) for split in ("train", "test")}


def mr(data: Path) -> dict[str, Rows]:
    files = {label: data / f"mr_trec/rt-polarity.{label}.gz" for label in ("pos", "neg")}
    return {"train": [(line, label) for label, path in files.items() for line in lines_of(path, "latin-1")]}


def sst2(data: Path) -> dict[str, Rows]:
    def rows(split: str) -> Rows:
        pairs = (line.split(" ", 1) for line in lines_of(data / f"sst/stsa.binary.{split}.gz"))
        return [(text, f"label{label}") for label, text in pairs]

    return {"train": rows("train"), "valid": rows("dev"), "test": rows("test")}


def banking77(data: Path) -> dict[str, Rows]:
    def rows(split: str) -> Rows:
        table = csv.DictReader(io.StringIO(text_of(data / f"banking77/{split}.csv.gz"), newline=""))
        return [(row["text"], row["category"]) for row in table]

    return {split: rows(split) for split in ("train", "test")}


def phrasebank(data: Path) -> dict[str, Rows]:
    every = lines_of(data / "phrasebank/Sentences_AllAgree.txt.gz", "latin-1")
    lines = (line for line in every if "@" in line)  # one is broken in two
    return {"train": [(text, label.strip()) for text, label in (line.rsplit("@", 1) for line in lines)]}


def thucnews(data: Path) -> dict[str, Rows]:
    def rows(split: str) -> Rows:
        lines = lines_of(data / f"thucnews_titles/thucnews_title_{split}.txt.gz")
        return [(text, label.strip()) for text, label in (line.rsplit("\t", 1) for line in lines)]

    return {"train": rows("dev"), "test": rows("test")}


SETS: dict[str, Callable[[Path], dict[str, Rows]]] = {
    each.__name__: each for each in (trec, mr, sst2, banking77, phrasebank, thucnews)
}


def write_tables(folder: Path, splits: dict[str, Rows]) -> list[str]:
    """Writes a table for each split; the overrides that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        kept = [(" ".join(text.split()), label) for text, label in rows if text.strip()]
        lines = ["text\tlabel", *(f"{text}\t{label}" for text, label in kept)]
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [f"dataset.{split}={folder / split}.tsv" for split in splits]


def train(run: Path, model: str, tables: list[str], seed: int, extra: list[str]) -> tuple[dict[str, Any], float]:
    """Trains in a process of its own, unless that run is there: its summary, and CPU seconds (0 if it was there)."""
    summary, before = run / "summary.json", getrusage(RUSAGE_CHILDREN)
    if not summary.exists():
        command = [
            "train",
            f"model={model}",
            "dataset=labelled_text",
            *tables,
            f"seed={seed}",
            f"run_dir={run}",
            *extra,
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [sys.executable, "-m", "attnfocus", *command], check=True, env=environment, stderr=subprocess.DEVNULL
        )
    after = getrusage(RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(summary.read_text(encoding="utf-8")), spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the six sets")
    parser.add_argument("--runs", type=Path, help="folder of the runs; those that are there are not trained again")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--models", nargs="+", default=["rnn_classifier", "transformer"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args()
    folder = given.runs or Path(tempfile.mkdtemp())
    print("test accuracy: set, model, mean of the seeds, each seed, linear model, difference, most CPU s of a run")
    differences: dict[str, list[float]] = {model: [] for model in given.models}
    for name in given.sets:
        tables = write_tables((folder / "tables" / name).absolute(), SETS[name](given.data))
        for model in given.models:
            scores, spent, linear = [], [], 0.0
            for seed in given.seeds:
                extra = ["baseline=linear"] if seed == given.seeds[0] else []
                summary, seconds = train((folder / f"{name}-{model}-{seed}").absolute(), model, tables, seed, extra)
                linear = summary["baseline"]["accuracy"]["test"] if extra else linear
                scores.append(summary["test"]["accuracy"])
                spent.append(seconds)
            difference = mean(scores) - linear
            differences[model].append(difference)
            each = " ".join(f"{score:.4f}" for score in scores)
            print(
                f"{name} {model} {mean(scores):.4f} ({each}) {linear:.4f} {difference:+.4f} {max(spent):.0f}",
                flush=True,
            )
    for model, found in differences.items():
        print(f"mean difference of {model}: {mean(found):+.4f}")


if __name__ == "__main__":
    main()
