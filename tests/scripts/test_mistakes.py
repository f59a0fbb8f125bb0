"""`scripts/mistakes.py`: what is typed by mistake is answered so that one can go on."""

import importlib.util
import shlex
from pathlib import Path
from types import ModuleType

import pytest

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
        (45, "attnfocus train model=rnn_classifier dataset=trec"),
        (54, "attnfocus --version"),
        (61, "attnfocus train model=seq2seq optimizer.lr=0.01"),
        (73, "optimizer.lr: must be > 0, got -0.1."),
        (75, "attnfocus train trainer.max_steps=10000"),
        (22, "attnfocus train run_dir=outputs/my_experiment"),
        (25, "drops training rows with more words. How long outputs may be is decoding.max_length"),
        (41, "a way to compute, not another attention"),
        (42, "attnfocus train attention=multi_head model=transformer"),
        (48, "attnfocus train dataset=mr model=transformer"),
        (49, "dataset=hub_pairs dataset.path=wmt/wmt14"),
        (50, "there is no lion here. The nearest is adamw."),
        (69, "each value is one run"),
        (70, "my.csv: is a file. To use your own table, write model=transformer"),
        (72, "attnfocus train optimizer.lr=0.002"),
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
    monkeypatch.chdir(tmp_path)
    code, answer = mistakes.answer_to(shlex.split(mistakes.MISTAKES[number - 1]))
    assert code == 2
    assert said in answer
    assert len(answer.splitlines()) <= 7
    assert "Traceback" not in answer
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_script_makes_what_is_named_wrongly(mistakes: ModuleType, tmp_path: Path) -> None:
    found = mistakes.answers([105, 106, 111], tmp_path)
    assert [each["code"] for each in found] == [2, 2, 2]
    assert "is a sweep of 2 runs" in found[0]["answer"]
    assert found[1]["answer"].endswith("_a1b2 checkpoint=best")
    assert "resume=" in found[2]["answer"].splitlines()[-1]
