"""How often the verdict on attention weights is right: tiny runs with planted evidence, and the truth of each.

    python scripts/calibrate_trust.py --output DIR            # all runs
    python scripts/calibrate_trust.py --output DIR --short    # 20 of them
    python scripts/calibrate_trust.py --output DIR --fit      # thresholds fitted on half of the families

Each run is a model of a few thousand weights on a task whose deciding positions are known by construction: one word
decides, evidence is spread, stands at a position, behind a mark, in two words (AND, XOR, order), under a key, or is
copied. Many are decoys: their weights are drawn to other positions, are frozen, turned or all alike, while the answer
comes another way. Whether the weights of a run are right is found by changing its rows and its weights
(`calibration/truth.py` has the rule), without any measure that the verdict uses. Then the verdict is asked: as it is,
with the output layer multiplied by 0.05, 0.2 and 5, and with two more seeds of its test.

A run is one file under DIR/runs, and what was found of it others under DIR/facts, DIR/verdicts, ...: what is there is
not made again; only verdicts follow thresholds that have changed. DIR/results.json, results.md and results.png
(with --svg results.svg) have the confusion of verdict and truth with its bounds, the reliability of the confidence, and
the hits of each attribution method on the evidence: for the runs that thresholds were fitted on (five families, one
seed), the same families with a fresh seed, other families, and the runs that were added when all rules and thresholds
stood (late runs: more seeds, more families, language models).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from calibration.confusion import Record, method_table, summary
from calibration.fitting import cases_of, fitted
from calibration.page import figure, markdown
from calibration.runs import facts_of, run_of
from calibration.specs import GROUPS, Spec, specs
from calibration.truth import truth_of
from calibration.verdicts import OWN, method_hits, varied_verdicts, verdict_of

from attnfocus.display.canvas import to_file
from attnfocus.focus.samples import Samples
from attnfocus.focus.verdict import decide
from attnfocus.regular_files import read_file, replace_file

MAX_BYTES = 2**26  # of a file of facts
STAGES = ("runs", "facts", "verdicts", "methods", "varied")


def facts_in(folder: Path, spec: Spec) -> dict[str, Any]:
    """What is known of a run apart from its verdict: what it is, how it was trained, and its truth."""
    run = run_of(spec, folder / "runs")
    return {**facts_of(spec), **run.facts, "truth": truth_of(run).facts()}


def verdict_in(folder: Path, spec: Spec, num_examples: int | None) -> dict[str, Any]:
    """The verdict on a run, and what it cost in CPU seconds."""
    run = run_of(spec, folder / "runs")
    began = time.process_time()
    return {OWN: verdict_of(run, num_examples), "seconds": time.process_time() - began}


def methods_in(folder: Path, spec: Spec) -> dict[str, float]:
    """The hits of the attribution methods on a run."""
    return method_hits(run_of(spec, folder / "runs"))


def varied_in(folder: Path, spec: Spec, num_examples: int | None) -> dict[str, Any]:
    """The verdicts on a run with what should change none."""
    return varied_verdicts(run_of(spec, folder / "runs"), num_examples)


def record_of(given: argparse.Namespace, spec: Spec) -> dict[str, Any]:
    """All that is known of a run, made where it is not there."""
    torch.set_num_threads(1)
    folder, stage = given.output, STAGES.index(given.until)
    if stage == 0:
        return dict(run_of(spec, folder / "runs").facts)
    found = {**_kept(folder / "facts" / f"{spec.name}.json", partial(facts_in, folder, spec)), "methods": {}}
    if stage >= 2:
        of_verdict, path = partial(verdict_in, folder, spec, given.examples), folder / "verdicts" / f"{spec.name}.json"
        kept = _kept(path, of_verdict)
        if needs_more(kept[OWN], given.examples):
            path.unlink()
            kept = _kept(path, of_verdict)
        found["verdicts"] = kept
        found["verdict_seconds"] = found["verdicts"].pop("seconds")
    is_one_of_few = crc32(spec.name[::-1].encode()) % given.every == 0
    if stage >= 3 and is_one_of_few:
        found["methods"] = _kept(folder / "methods" / f"{spec.name}.json", partial(methods_in, folder, spec))
    if stage >= 4 and is_one_of_few:
        of_variants = partial(varied_in, folder, spec, given.examples)
        found["verdicts"] |= _kept(folder / "varied" / f"{spec.name}.json", of_variants)
    return found


def needs_more(verdict: dict[str, Any], num_examples: int | None) -> bool:
    """Decides a kept verdict anew, in place, by the thresholds of now; whether they ask for more examples."""
    was_sure, found = not verdict["near_border"], decide(Samples.of(verdict["samples"]))
    verdict |= found.facts()
    return num_examples is None and was_sure and found.near_border


def _kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if path.is_file():
        kept: dict[str, Any] = json.loads(read_file(path, MAX_BYTES))
        return kept
    found = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps(found).encode())
    return found


def records_of(chosen: Sequence[Spec], make: Callable[[Spec], dict[str, Any]], jobs: int) -> list[dict[str, Any]]:
    """What is known of the runs, with a line of progress for each 20."""
    if jobs == 1:
        return list(_watched(map(make, chosen), len(chosen)))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(_watched(pool.map(make, chosen), len(chosen)))


def _watched(found: Iterable[dict[str, Any]], total: int) -> Iterable[dict[str, Any]]:
    began = time.monotonic()
    for number, each in enumerate(found, 1):
        if number % 20 == 0 or number == total:
            print(f"{number} of {total} runs, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        yield each


def grouped(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The runs that thresholds are fitted on, the same families with a fresh seed, other families, and late runs."""
    return {name: [record for record in records if record["group"] == name] for name in GROUPS}


def write_results(folder: Path, records: Sequence[Record], kinds: Sequence[str]) -> str:
    """The results as files; the Markdown is returned."""
    groups = grouped(records)
    judged = [record for name in GROUPS if name != "fit" for record in groups[name]]
    found = {"judged": summary(judged), **{name: summary(each) for name, each in groups.items()}}
    slim = [{**record, "verdicts": _slim(record["verdicts"])} for record in records]
    content = {"groups": found, "methods": method_table(records), "runs": slim}
    replace_file(folder / "results.json", json.dumps(content, indent=1).encode())
    text = markdown(groups)
    replace_file(folder / "results.md", text.encode())
    for kind in kinds:
        replace_file(folder / f"results.{kind}", to_file(figure(groups), "svg" if kind == "svg" else "png"))
    return text


def _slim(verdicts: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {key: each[key] for key in each if key != "samples"} for name, each in verdicts.items()}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs and of the results")
    parser.add_argument("--runs", type=int, help="the first so many, among which are all kinds (default: all)")
    parser.add_argument("--short", dest="runs", action="store_const", const=20, help="the same as --runs 20")
    parser.add_argument(
        "--only",
        default="",
        metavar="WORDS",
        help="only runs with one of these in their names, such as and,rnn,dates-seq2seq",
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with one thread (default: %(default)s)")
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1], help="the last thing that is made of a run")
    parser.add_argument(
        "--every", type=int, default=1, help="scales, seeds and methods of one in so many runs (default: 1)"
    )
    parser.add_argument("--examples", type=int, help="of each measurement; without it the verdict decides how many")
    parser.add_argument("--fit", action="store_true", help="print thresholds fitted on half of the families, and stop")
    parser.add_argument("--svg", action="store_true", help="the figure as SVG too")
    given = parser.parse_args(words)
    names = [name for name in given.only.split(",") if name]
    chosen = [
        spec for spec in specs()[: given.runs] if not names or any(f"-{name}-" in f"-{spec.name}-" for name in names)
    ]
    if not chosen:
        parser.error(f"--only {given.only}: no run has such a name; one is called {specs()[0].name}")
    records = records_of(chosen, partial(record_of, given), given.jobs)
    if STAGES.index(given.until) < 2:
        return 0
    if given.fit:
        thresholds, least = fitted(cases_of(record for record in records if record["is_fit"]))
        print(f"{thresholds}\ncost {least:.4f} for each run")
        return 0
    print(write_results(given.output, records, ["png", "svg"] if given.svg else ["png"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
