"""`scripts/mistakes.py`: what is typed by mistake is answered so that one can go on."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests_support import commands_run_in

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "mistakes.py"


@pytest.fixture(scope="module")
def mistakes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mistakes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_120_and_none_is_there_twice(mistakes: ModuleType) -> None:
    assert len(set(mistakes.MISTAKES)) == len(mistakes.MISTAKES) >= 120


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (3, "trainer.batch_size=32 trainer.max_epochs=3 optimizer.lr=1e-3"),
        (9, "attnfocus train trainer.patience=3"),
        (17, "attnfocus train scheduler=cosine"),
        (31, "attnfocus train attention=additive"),
        (37, "attnfocus train model=seq2seq"),
        (43, "To translate: model=seq2seq model.cell=lstm."),
        (45, "attnfocus train model=rnn_classifier model.cell=lstm dataset=trec"),
        (54, "attnfocus --version"),
        (61, "attnfocus train model=seq2seq optimizer.lr=0.01"),
        (73, "The default is 0.002.\nTry:\n  attnfocus train optimizer.lr=0.1"),
        (75, "attnfocus train trainer.max_steps=10000"),
        (22, "attnfocus train run_dir=outputs/my_experiment"),
        (
            25,
            "It leaves out training rows that have more words; nothing is cut. How long outputs may be",
        ),
        (41, "a way to compute, not another attention"),
        (42, "attnfocus train attention=multi_head model=transformer"),
        (48, "pip install 'attnfocus[hub]', then dataset=hub dataset.path=stanfordnlp/imdb. Built in"),
        (48, "attnfocus train dataset=hub dataset.path=stanfordnlp/imdb dataset.test_split=test"),
        (49, "attnfocus train dataset=hub_pairs dataset.path=wmt/wmt14"),
        (51, "To classify texts: model=transformer."),
        (50, "attnfocus has no optimizer lion; the most similar is adamw."),
        (69, "each value is one run"),
        (70, "my.csv: is a file. To use your own table, write model=transformer"),
        (72, "attnfocus train optimizer.lr=0.002"),
        (77, "attnfocus train trainer.max_steps=null"),
        (9, "It counts evaluations: the run stops after so many without a better one."),
        (10, "5 is an example"),
        (23, "It is the folder of this one run. The folder of all runs is paths.outputs."),
        (44, "trained from scratch on your data"),
        (88, "to start a new run, leave resume out. Got true."),
        (92, "The nearest are 4 and 6."),
        (92, "attnfocus train model=transformer model.num_heads=4"),
        (96, "evaluate trains nothing, so it takes no optimizer.lr"),
        (119, "for example dataset.train=reviews.csv"),
        (133, "attnfocus train optimizer.lr=0.1"),
        (78, "30 % is 0.3."),
        (89, "attnfocus train optimizer.lr=0.1"),
        (93, "attnfocus train attention/pattern=causal model=transformer_seq2seq"),
        (87, "attnfocus train attention/score=dot"),
        (90, "dot has no hidden_size. Remove it, or use attention/score=additive or coverage or location."),
        (94, "attnfocus evaluate run=latest split=valid"),
        (99, "attnfocus predict run=latest format=jsonl"),
    ],
)
def test_the_answer_says_how_to_go_on(
    number: int, said: str, mistakes: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands_run_in(tmp_path, monkeypatch)
    code, answer = mistakes.answer_to(shlex.split(mistakes.MISTAKES[number - 1]))
    assert code == 2
    assert said in answer
    assert len(answer.splitlines()) <= 7
    assert "Traceback" not in answer
    names_files = re.compile(r"latest|my\.csv")  # that are not in this folder
    assert [line for line in mistakes.proposed(answer) if not names_files.search(line) and mistakes.refusal(line)] == []
    assert not list(tmp_path.iterdir())


def test_a_line_that_is_refused_is_found(mistakes: ModuleType) -> None:
    assert mistakes.proposed("attnfocus: no.\nTry:\n  attnfocus list\n  attnfocus doctor") == [
        "attnfocus list",
        "attnfocus doctor",
    ]
    assert "os.getcwd lies outside" in mistakes.refusal("attnfocus train attention._target_=os.getcwd")
    assert "does not divide" in mistakes.refusal("attnfocus train model=transformer model.num_heads=5")
    assert mistakes.refusal("attnfocus train model=transformer model.num_heads=4") == ""


def test_a_file_that_is_not_there_is_answered_before_torch_is_loaded(mistakes: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\ngood,a\n")
    code = "import sys; from attnfocus.cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    line = ["train", "dataset=labelled_text", "model=rnn_classifier", "dataset.train=review.tsv"]
    done = subprocess.run([sys.executable, "-c", code, *line], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Did you mean reviews.csv?" in done.stderr
    assert done.stderr.endswith(f"  attnfocus {' '.join(line[:-1])} dataset.train=reviews.csv\n")


@pytest.mark.slow
def test_the_script_makes_what_is_named_wrongly(mistakes: ModuleType, tmp_path: Path) -> None:
    found = list(mistakes.answers([105, 106, 111, 117, 121, 122, 129, 130, 131, 132], tmp_path))
    assert [each["code"] for each in found] == [2] * len(found)
    assert [each["refused"] for each in found] == [[]] * len(found)
    assert "Try:\n  attnfocus compare outputs/sweeps/" in found[0]["answer"]
    ends = ["dataset.text_column=text dataset.label_column=label", "dataset.encoding=cp1252", "dataset.on_bad_row=skip"]
    ends += ["dataset.train=reviews.csv", "input=reviews.csv", "dataset.test=reviews.csv", "dataset.label_column=label"]
    for each, end in zip(found[3:], ends, strict=True):
        assert each["answer"].endswith(end), each
    assert "is a sweep of 2 runs" in found[0]["answer"]
    assert found[1]["answer"].endswith("_a1b2 checkpoint=best")
    assert "resume=" in found[2]["answer"].splitlines()[-1]
