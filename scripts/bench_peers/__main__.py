"""Speed, memory, start and quality of attnfocus and of other toolkits, on the same data with the same sizes.

`python scripts/bench_peers --data DIR --model rnn --peers onmt fairseq --python onmt=ENV/bin/python ...`
The toolkits take turns, round by round, so that whatever else the machine does hits all alike; medians of the rounds.
`python scripts/bench_peers --model language_model --nanogpt DIR` times steps of nanoGPT's model and of ours, in turns.
docs/peers.md says how the peers are installed and what is compared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from child import environment
from corpus import Corpus, matrix_rate, training_flops
from fairseq_cli import Fairseq
from joey import Joey
from language_model import Sizes, compare
from measure import Bench
from opennmt import OpenNMT
from ours import Attnfocus
from toolkit import Job, Toolkit

TOOLKITS: dict[str, Toolkit] = {kit.name: kit for kit in (Attnfocus(), OpenNMT(), Joey(), Fairseq())}
OURS = Attnfocus.name
LANGUAGE_MODEL = "language_model"
MODELS = ("rnn", "rnn_default_order", "transformer", LANGUAGE_MODEL)
LOG_EVERY = 10  # updates between lines of progress
Row = dict[str, float]
HIGHER_IS_BETTER = ("words_per", "sentences_per")
NOT_COMPARED = ("bleu", "output_words", "others_cores")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with {train,val,test}.{de,en}, tokenized")
    parser.add_argument("--work", type=Path, help="folder for models, logs, results.json (emptied)")
    parser.add_argument("--model", choices=MODELS, default="rnn")
    parser.add_argument("--peers", nargs="*", choices=[name for name in TOOLKITS if name != OURS], default=[])
    parser.add_argument("--python", nargs="*", default=[], metavar="PEER=PATH", help="the Python of each peer")
    parser.add_argument("--updates", type=int, default=906, help="of each run (default: %(default)s, two epochs)")
    parser.add_argument("--warm", type=int, default=50, help="updates before what is measured (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each toolkit (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of each process (default: %(default)s)")
    parser.add_argument("--no-decode", action="store_true", help="training alone")
    parser.add_argument("--nanogpt", type=Path, help="folder with a copy of nanoGPT, of --model language_model")
    given = parser.parse_args()
    if given.model == LANGUAGE_MODEL:
        if given.nanogpt is None or not (given.nanogpt / "model.py").is_file():
            parser.error("--nanogpt: name a folder with nanoGPT's model.py")
        return given
    if given.data is None or given.work is None:
        parser.error(f"--data and --work are needed with --model {given.model}")
    given.pythons = dict(item.split("=", 1) for item in given.python if "=" in item)
    for peer in given.peers:
        if not Path(given.pythons.get(peer, "")).is_file():
            parser.error(f"--python: name the Python in which {peer} is installed: --python {peer}=ENV/bin/python")
    return given


def collect(given: argparse.Namespace) -> dict[str, list[Row]]:
    """For each toolkit a row of figures a round."""
    corpus = Corpus(given.data.resolve())
    corpus.check()
    given.pythons[OURS] = sys.executable
    benches = {}
    for name in (OURS, *given.peers):
        folder, python = given.work.absolute() / given.model / name, Path(given.pythons[name]).absolute()
        job = Job(corpus, given.model, python, folder, given.updates, LOG_EVERY)
        benches[name] = Bench(TOOLKITS[name], job, given.warm, given.threads)
    rows: dict[str, list[Row]] = {name: [] for name in benches}
    for number in range(given.rounds):
        for name, bench in benches.items():
            row = {**bench.start(), **asdict(bench.train())}
            rows[name].append(row)
            print(f"round {number + 1} {name}: {_shown(row)}", file=sys.stderr, flush=True)
        for name, bench in {} if given.no_decode else benches.items():
            for beam, figures in bench.decode().items():
                rows[name][-1] |= {f"{beam}_{key}": value for key, value in figures.items()}
            print(f"round {number + 1} {name}: {_shown(rows[name][-1])}", file=sys.stderr, flush=True)
    return rows


def summarize(rows: Mapping[str, Sequence[Row]]) -> dict[str, Row]:
    """Medians of the rounds."""
    return {name: {key: statistics.median(row[key] for row in each) for key in each[0]} for name, each in rows.items()}


def ratios(rounds: Mapping[str, Sequence[Row]], peer: str) -> Row:
    """How many times better we are than a peer: the median of the rounds' own ratios, above 1 where we are better."""
    found = {}
    for key in rounds[OURS][0]:
        if key.endswith(NOT_COMPARED):
            continue
        upward = any(part in key for part in HIGHER_IS_BETTER)
        pairs = [(ours[key], theirs[key]) for ours, theirs in zip(rounds[OURS], rounds[peer], strict=True)]
        each = [ours / theirs if upward else theirs / ours for ours, theirs in pairs if ours and theirs]
        if each:
            found[key] = statistics.median(each)
    return found


def table(medians: Mapping[str, Row], compared: Mapping[str, Row]) -> str:
    """Markdown: a line a figure, a column a toolkit, and one for each ratio."""
    names = list(medians)
    head = ["", *names, *(f"{OURS} : {peer}" for peer in compared)]
    lines = [head, ["---"] * len(head)]
    for key in medians[OURS]:
        figures = [f"{medians[name][key]:,.4g}" for name in names]
        lines.append([key, *figures, *(f"{row[key]:.2f}" if key in row else "" for row in compared.values())])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shown(row: Row) -> str:
    return "  ".join(f"{key} {value:.4g}" for key, value in row.items())


def main() -> int:
    given = arguments()
    if given.model == LANGUAGE_MODEL:
        print(compare(given.nanogpt, given.updates, given.threads, Sizes()))
        return 0
    given.work.mkdir(parents=True, exist_ok=True)
    wall_rate, cpu_rate = matrix_rate(environment(given.threads, Path(sys.executable)))
    rounds = collect(given)
    flops = training_flops(Corpus(given.data), given.model)
    medians = summarize(rounds)
    for row in medians.values():
        row["roofline_share_of_cpu"] = row["words_per_cpu_second"] * flops / cpu_rate
    compared = {peer: ratios(rounds, peer) for peer in given.peers}
    machine = {"flops_per_word": flops, "matrix_flops_per_second": wall_rate, "matrix_flops_per_cpu_second": cpu_rate}
    settings = {key: getattr(given, key) for key in ("model", "updates", "warm", "rounds", "threads")}
    result: dict[str, Any] = {"settings": settings, **machine, "rounds": rounds, "medians": medians, "ratios": compared}
    path = given.work / f"results_{given.model}.json"
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(f"{given.model}: {flops / 1e6:.2f} MFLOP a word; matrices: {cpu_rate / 1e9:.0f} GFLOP/s a CPU second")
    print(table(medians, compared))
    print(f"\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
