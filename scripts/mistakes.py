"""Tries 130 plausible mistakes, and prints for each what was typed and what was answered: `python scripts/mistakes.py`.

Whoever reads the answers should know from each alone how to go on. Two small runs and a sweep are trained first, in a
folder of their own, so that there is something to name wrongly. All in one process: a mistake should cost no more than
half a second. Each line that an answer proposes is checked as the command checks it before it reads data; one that is
refused is said. `--only 12 40` tries some of them, `--keep DIR` leaves the folder there.
"""

import argparse
import contextlib
import io
import json
import os
import shlex
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attnfocus.cli import main
from attnfocus.cli.command import arguments_of, check_line, values_of
from attnfocus.cli.values import check_values
from attnfocus.cli.verbs import VERBS
from attnfocus.config.overrides import CommandLine
from attnfocus.errors import UserError

TINY = (
    "dataset.num_train=100 dataset.num_valid=20 dataset.num_test=20 model.embed_dim=8 model.hidden_size=8 "
    "trainer.max_steps=2 trainer.max_epochs=null focus.num_samples=0 decoding.max_length=12 scheduler=constant"
)
LT = "dataset=labelled_text model=rnn_classifier trainer.max_steps=2 focus.num_samples=0"

MISTAKES = (
    # keys as they are called elsewhere
    "train lr=0.01 model=seq2seq",
    "train epochs=5",
    "train batch_size=32 epochs=3 lr=1e-3",
    "train learning_rate=0.001 attention=additive",
    "train gpu=0",
    "train gpus=2",
    "train wandb=true",
    "train hidden_size=128 dropout=0.1",
    "train trainer.early_stopping=3",
    "train early_stopping=true",
    "train trainer.epochs=5",
    "train optimizer.learning_rate=0.1",
    "train max_epochs=3",
    "train monitor=f1 model=transformer",
    "train trainer.monitor=acc model=transformer",
    "train optim=adam",
    "train scheduler=linear",
    "train scheduler.warmup=100",
    "train fp16=true",
    "train num_heads=8 model=transformer",
    "train beam=5",
    "train name=my_experiment",
    "train output_dir=results",
    "train tokenizer=bpe vocab_size=4000",
    "train max_len=50",
    "train val_split=0.2 dataset=labelled_text model=transformer dataset.train=reviews.csv",
    "train grad_clip=1.0 accumulate=2",
    "train num_workers=4 shuffle=true",
    # mistyped
    "train modle=seq2seq",
    "train model=seq2sec",
    "train attention=aditive",
    "train trainer.max_step=100",
    "train trainer.bach_size=16",
    "train attention.score.hiddn_size=32",
    "train training.max_steps=100",
    "train dataset.tokeniser.kind=bpe",
    "trian model=seq2seq",
    "evalute run=latest",
    # names of the field
    "train attention=bahdanau",
    "train attention=luong",
    "train attention=flash model=transformer",
    "train attention=self",
    "train model=lstm",
    "train model=bert",
    "train model=lstm dataset=trec",
    "train -m attention=bahdanau,luong",
    "train attention=rope model=transformer",
    "train dataset=imdb",
    "train dataset=wmt14",
    "train optimizer=lion",
    "train model=gpt",
    # verbs and words
    "help",
    "train help",
    "version",
    "fit model=seq2seq",
    "test run=latest",
    "translate run=latest",
    "model=seq2seq train",
    "model=seq2seq attention=dot",
    "train model seq2seq",
    "train --model seq2seq --lr 0.01",
    "--epochs 3",
    "train model = seq2seq",
    "train model: seq2seq",
    "train seq2seq",
    "train evaluate model=seq2seq",
    "evaluate latest",
    "inspect run=latest '3 May 1999'",
    "sweep model=seq2seq attention=additive,dot",
    "train my.csv",
    "outputs",
    # values
    "train optimizer.lr=fast",
    "train optimizer.lr=-0.1",
    "train optimizer.lr=0,01",
    "train trainer.max_steps=10k",
    "train trainer.max_steps=1e4",
    "train trainer.max_steps=0",
    "train model.dropout=30",
    "train trainer.compile=yes",
    "train trainer.precision=16",
    "train device=gpu",
    "train device=cuda:0",
    "train seed=random",
    "train trainer.max_steps",
    "train attention=additive,dot",
    "train dataset.tokenizer=bpe",
    "train attention.score=dot",
    "train resume=true",
    "train +lr=0.1",
    "train attention=dot attention.score.hidden_size=32",
    "train model=transformer dataset=dates",
    "train model=transformer model.num_heads=5",
    "train attention/pattern=causal",
    "evaluate run=latest split=dev",
    "evaluate run=latest checkpoint=latest",
    "evaluate run=latest lr=0.1",
    "inspect run=latest files=html",
    "inspect run=latest method=saliency",
    "predict run=latest format=json",
    # runs
    "evaluate",
    "evaluate run=RUN",
    "evaluate run=outputs/2020-01-01/nothing",
    "evaluate run=seq2seq",
    "evaluate run=outputs",
    "evaluate run={sweep}",
    "predict run={run}/checkpoints/best",
    "inspect run={run}/config.yaml",
    "evaluate run=damaged",
    "train resume={run}",
    "train resume={run} model=transformer",
    "train run_dir={run}",
    "compare nothing",
    "compare",
    # data
    "train dataset=reviews.csv",
    f"train {LT} dataset.train=nothing.csv",
    f"train {LT} dataset.train=empty.csv",
    f"train {LT} dataset.train=reviews.csv dataset.text_column=review dataset.label_column=label",
    f"train {LT} dataset.train=picture.csv",
    f"train {LT}",
    f"train {LT} dataset.train=one_column.csv",
    f"train {LT} dataset.train=latin.csv",
    f"train {LT} dataset.train=broken.jsonl dataset.text_column=text dataset.label_column=label",
    "predict run=latest input=nothing.txt",
    "predict run=latest input=picture.csv",
    "train --config-dir nowhere attention=dot",
    "train --config-dir mine attention=sharp",
    "bench attention=dot lengths=256",
    "doctor device=gpu",
    # files
    f"train {LT} dataset.train=review.csv",
    "predict run=latest input=review.csv",
    "evaluate run=latest reviews.csv",
    "data reviews.csv",
    "train trainer.lr=0.1",
)


def make_house(folder: Path) -> dict[str, str]:
    """Files, a run, a sweep and a damaged run below a folder, which is the current one; what `{run}` stands for."""
    rows = "".join(
        f"{'good' if index % 2 else 'bad'} film number {index},{'pos' if index % 2 else 'neg'}\n" for index in range(60)
    )
    (folder / "reviews.csv").write_text(f"text,label\n{rows}")
    (folder / "my.csv").write_text(f"text,label\n{rows}")
    (folder / "empty.csv").write_text("")
    (folder / "one_column.csv").write_text("text\nonly this\nand this\n")
    (folder / "latin.csv").write_bytes("text,label\ncafé olé,a\nnaïve,b\n".encode("latin-1"))
    (folder / "broken.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": \n')
    (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)))
    (folder / "damaged").mkdir()
    (folder / "damaged" / "config.yaml").write_text("model: [\n")
    (folder / "mine" / "attention").mkdir(parents=True)
    (folder / "mine" / "attention" / "sharp.yaml").write_text("# Sharp\ndefaults:\n  - cosine\n _self_\n")
    for typed in (
        f"train {TINY} run_dir=outputs/2026-01-01/10-00-00_seq2seq_additive_dates_a1b2",
        f"train -m {TINY} attention=dot,general",
    ):
        code, answer = answer_to(shlex.split(typed))
        if code:
            raise SystemExit(f"{typed}\n{answer}")
    sweep = next((folder / "outputs" / "sweeps").glob("*/*")).relative_to(folder)
    return {"run": "outputs/2026-01-01/10-00-00_seq2seq_additive_dates_a1b2", "sweep": str(sweep)}


def answer_to(arguments: Sequence[str]) -> tuple[int, str]:
    """The exit code, and what was printed, on either stream."""
    both = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    before = sys.stdin, sys.argv
    sys.stdin, sys.argv = io.TextIOWrapper(io.BytesIO(b"")), ["attnfocus", *arguments]
    try:
        with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdin, sys.argv = before
    return code, both.buffer.getvalue().decode("utf-8", "replace").rstrip()


def proposed(answer: str) -> list[str]:
    """The command lines below `Try:`."""
    _, _, below = answer.partition("\nTry:\n")
    return [line.strip() for line in below.splitlines() if line.startswith("  attnfocus ")]


def refusal(line: str) -> str:
    """Why a command line is refused before it reads data, with all classes loaded; empty where it is not."""
    words = shlex.split(line)[1:]
    if words[0] not in VERBS or "--help" in words:
        code, answer = answer_to(words)
        return answer if code else ""
    verb = words[0]
    try:
        given = arguments_of(verb, words[1:])
        is_sweep = given.flags.multirun
        typed = CommandLine(verb, given.overrides, given.flags.config_dir, is_sweep=is_sweep)
        check_line(typed, {}, with_values=not is_sweep)
        if is_sweep:
            return ""  # each job is checked by itself
        with contextlib.redirect_stderr(io.StringIO()):  # which run is meant
            values, _ = values_of(verb, typed.all_compositions().compose(given.overrides), given.bare)
        if not values.get("resume"):
            check_values(verb, values)
    except UserError as error:
        return "" if str(error).startswith("device: cuda") else str(error)  # there may be none here
    return ""


def answers(numbers: Sequence[int], folder: Path) -> Iterator[dict[str, Any]]:
    """What was typed and answered, and which lines are refused, of the mistakes with these numbers, counted from 1."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        names = make_house(folder)
        for number in numbers or range(1, len(MISTAKES) + 1):
            typed = MISTAKES[number - 1]
            for name, value in names.items():
                typed = typed.replace(f"{{{name}}}", value)
            code, answer = answer_to(shlex.split(typed))
            refused = [f"{line}: {why}" for line in proposed(answer) if (why := refusal(line))]
            entry = {"number": number, "typed": f"attnfocus {typed}", "code": code, "answer": answer}
            yield {**entry, "refused": refused}
    finally:
        os.chdir(here)


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=int, nargs="*", default=[], help="numbers of mistakes, counted from 1")
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, which stays")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for each in answers(options.only, folder.resolve()):
            found.append(each)
            if not options.json:
                shown = f"[{each['number']}] $ {each['typed']}\n{each['answer']}\n(exit code {each['code']})\n"
                print(shown, flush=True)
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
    refused = [f"[{each['number']}] {line}" for each in found for line in each["refused"]]
    if refused:
        raise SystemExit("\n".join(["These proposed lines are refused:", *refused]))


if __name__ == "__main__":
    run()
