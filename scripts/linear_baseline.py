"""Test accuracy of a linear model on the rows that a text classification set gives: what attention has to beat.

What `baseline=linear` of `attnfocus train` fits. `python scripts/linear_baseline.py --dataset languages --seed 1`.
With `--run outputs/DATE/RUN` the accuracy of that run is printed beside it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from attnfocus.commands.train.linear_baseline import linear_baseline
from attnfocus.config.overrides import CommandLine
from attnfocus.data.codecs.text_label import TextLabelCodec
from attnfocus.data.preparation import Prepared
from attnfocus.errors import DataError, UserError
from attnfocus.runs.assembly import check_train
from attnfocus.runs.evaluation import prepare_data


def load(dataset: str, seed: int, overrides: Sequence[str] = ()) -> Prepared:
    """The rows of `attnfocus train dataset=... seed=... OVERRIDES`.

    Raises:
        UserError: a configuration or data that training would refuse too, or a set without texts, labels or test rows.
    """
    chosen = ["model=rnn_classifier", f"dataset={dataset}", f"seed={seed}", *overrides]
    line = CommandLine("train", chosen, None)
    line.check()
    prepared = prepare_data(check_train(line.compose(chosen, resolve=True)))
    if not isinstance(prepared.codec, TextLabelCodec) or "test" not in prepared.splits:
        raise DataError(f"dataset={dataset}: needs texts with labels and a test split. Name another set.")
    return prepared


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="languages", help="a choice of configs/dataset (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the run to compare with (default: %(default)s)")
    parser.add_argument("--run", type=Path, help="run directory to compare with")
    parser.add_argument("overrides", nargs="*", help="more key=value, as for attnfocus train")
    given = parser.parse_args()
    try:
        prepared = load(given.dataset, given.seed, given.overrides)
    except UserError as error:
        print(f"linear_baseline: {error}", file=sys.stderr)
        return error.exit_code
    facts = linear_baseline(prepared, print)
    rows = f"{facts['rows']} train, {len(prepared.splits['test'])} test rows, C {facts['c']:g}"
    print(f"{given.dataset} seed {given.seed}: test accuracy {facts['accuracy']['test']:.4f} ({rows})")
    if given.run is not None:
        summary = json.loads((given.run / "summary.json").read_text(encoding="utf-8"))
        print(f"{given.run.name}: test accuracy {summary['test']['accuracy']:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
