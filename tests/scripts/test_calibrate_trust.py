"""`scripts/calibrate_trust.py`: planted tasks, the rule of truth on weights made by hand, the script on three runs."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(autouse=True)
def calibration(monkeypatch):
    """The package of the script can be imported, and is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "calibration"]:
        del sys.modules[name]


def script():
    spec = importlib.util.spec_from_file_location("calibrate_trust", SCRIPTS / "calibrate_trust.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_changes_of_the_evidence_change_the_answer_and_all_others_keep_it():
    from calibration.planted import changed
    from calibration.specs import TASKS

    assert len(TASKS) == 17
    random = np.random.default_rng(0)
    for task in (make() for make in TASKS.values()):
        answers = set()
        for _ in range(12):
            row = task.row(random)
            answers |= set(row.outputs)
            assert set(row.words) <= set(task.vocabulary)
            assert len(row.outputs) == len(row.evidence)
            for output, evidence in enumerate(row.evidence):
                rest = [place for place in range(len(row.words)) if place not in evidence]
                if evidence:
                    other = task.read(changed(task, row, evidence, output, random, answer_changes=True))
                    assert other.outputs[output] != row.outputs[output], (task.name, row)
                    assert all(other.words[place] == row.words[place] for place in rest)
                kept = task.read(changed(task, row, rest, output, random, answer_changes=False))
                assert kept.outputs[output] == row.outputs[output]
                assert kept.words != row.words or len(rest) == len(row.frame)
        assert len(answers) >= 2


def test_the_grid_has_over_200_runs_of_which_none_is_there_twice():
    from calibration.specs import FIT_FAMILIES, FIT_SEED, GROUPS, LATE_SEEDS, TASKS, specs

    every = specs()
    names = {spec.name for spec in every}
    assert len(names) == len(every) >= 200
    assert {spec.task for spec in every[:200]} == set(TASKS)
    assert {spec.group for spec in every} == set(GROUPS)
    assert all((spec.group == "late runs") == (spec.seed in LATE_SEEDS) for spec in every)
    assert all((spec.group == "fit") == (spec.task in FIT_FAMILIES and spec.seed == FIT_SEED) for spec in every)
    assert {spec.task for spec in every if spec.is_fit} == FIT_FAMILIES < {spec.task for spec in every} == set(TASKS)
    assert sum(spec.decoy not in ("none", "guided_right") for spec in every if not spec.is_fit) >= 120  # mostly wrong


def test_places_of_words_are_counted_behind_what_stands_before_them():
    from calibration.truth import fewest

    share = np.array([0.3, 0.1, 0.6])
    assert fewest(share, 0.5) == (2,)
    assert fewest(share, 0.9) == (2, 0)
    assert fewest(share, 0.9, first=1) == (1,)  # BOS is no word


def one_word(scores, value_of_class):
    """A pooling over embeddings that knows the classes of `one_word`, with the scores of words that are given."""
    from calibration.runs import TinyRun, as_rows, model_of, rows_of, task_of
    from calibration.specs import TASKS, Spec

    spec = Spec("one_word", "pooling", "scaled_dot", "none", 0)
    planted = TASKS["one_word"]()
    task = task_of(planted, spec.model)
    model = model_of(spec, task)
    rows = rows_of(planted, 40, [0])
    ids = {word: task.codec.tokenizers()["source"].encode(word)[0] for word in planted.vocabulary}
    with torch.no_grad():
        table = model.embedding.embed
        table.weight.zero_()
        model.pooling.query.zero_()
        model.pooling.query[0, 0] = 4.0  # the square root of the 16 numbers of a key, by which scores are divided
        for word, number in ids.items():
            table.weight[number, 0] = scores(word) / table.scale
            if word[0] in planted.answers:
                table.weight[number, 1 + planted.answers.index(word[0])] = value_of_class / table.scale
        model.output.weight.zero_()
        model.output.bias.zero_()
        for number in range(3):
            model.output.weight[number, 1 + number] = 1.0
    return TinyRun(spec, planted, task, model.eval(), rows, list(task.codec.encode_rows(as_rows(rows, spec.model))), {})


@pytest.mark.parametrize(
    ("kind", "answer", "reason"),
    [
        ("on the evidence", "right", "needed"),
        ("on the marker, the evidence large in value", "wrong", "other positions have the weight"),
        ("all alike", "wrong", "other positions have the weight"),
        ("on the evidence of one class", "unclear", "right for a part"),
    ],
)
def test_truth_of_weights_made_by_hand(kind, answer, reason):
    from calibration.truth import truth_of

    scores = {
        "on the evidence": lambda word: 6.0 * (word[0] in "abc"),
        "on the marker, the evidence large in value": lambda word: 6.0 * (word[0] == "#"),
        "all alike": lambda word: 0.0,
        "on the evidence of one class": lambda word: 6.0 * (word[0] == "a"),
    }[kind]
    truth = truth_of(one_word(scores, value_of_class=1e4))
    assert truth.changes.evidence == 1
    assert truth.changes.other == 0
    assert (truth.answer, truth.reason[: len(reason)]) == (answer, reason)


def test_right_weights_are_idle_where_the_answer_does_not_need_them():
    from calibration.truth import Changes, judged

    right = {"evidence": 1.0, "top": 0.9, "random": 0.1, "best": 1.0, "inside": 0.9, "density": 0.1}
    assert judged(Changes(**right, moved=0.6)).reason == "needed"
    assert judged(Changes(**right, moved=0.0)).reason == "idle"
    assert judged(Changes(**{**right, "inside": 0.4}, moved=0.6)).answer == "unclear"
    assert judged(Changes(**{**right, "top": 0.2, "inside": 0.1}, moved=0.6)).answer == "wrong"
    assert judged(Changes(**{**right, "top": 0.2}, moved=0.6)).answer == "unclear"
    assert judged(Changes(**{**right, "top": 0.2, "inside": 0.1, "framed": 0.4}, moved=0.6)).answer == "unclear"
    assert judged(Changes(**{**right, "other": 0.3}, moved=0.6)).answer == "unclear"
    assert judged(Changes(**{**right, "evidence": 0.5})).answer == "unclear"


def test_a_language_model_predicts_the_answer_behind_the_words_and_is_asked_there(tmp_path, monkeypatch):
    from calibration import runs
    from calibration.specs import Spec
    from calibration.truth import truth_of
    from calibration.verdicts import method_hits

    monkeypatch.setattr(runs, "NUM_TRAIN", 600)
    monkeypatch.setattr(runs, "NUM_TEST", 64)
    run = runs.run_of(Spec("one_word", "language_model", "multi_head", "guided_right", 1), tmp_path)
    truth = truth_of(run)
    assert run.facts["accuracy"] == 1
    assert (truth.answer, truth.reason) == ("right", "needed")
    assert truth.changes.inside > 0.8
    hits = method_hits(run)
    assert hits["attention"] == 1 > 0.3 > hits["chance"]
    other = runs.run_of(Spec("one_word", "language_model", "multi_head", "guided_marker", 1), tmp_path)
    assert truth_of(other).answer == "wrong"


def record(truth, answer, confidence=1.0, **variants):
    verdicts = {"own": {"answer": answer, "reason": "weak", "confidence": confidence}}
    verdicts |= {name.replace("_", " "): {"answer": each} for name, each in variants.items()}
    return {"truth": {"answer": truth, "is_learned": True}, "verdicts": verdicts, "methods": {}}


def test_figures_of_the_confusion_counted_by_hand():
    from calibration.confusion import Count, changed_by, confusion, missed, reliability, trusted, undecided

    records = [
        record("right", "yes", 0.9, scale_5="yes", seed_1="partly"),
        record("right", "no", 0.7, scale_5="no", seed_1="no"),
        record("wrong", "no", 0.99, scale_5="partly", seed_1="no"),
        record("wrong", "partly", scale_5="partly", seed_1="partly"),
        record("unclear", "yes", scale_5="yes", seed_1="yes"),
    ]
    assert confusion(records)["right"] == {"yes": 1, "partly": 0, "no": 1, "cannot_tell": 0}
    assert (trusted(records), missed(records), undecided(records)) == (Count(0, 2), Count(1, 2), Count(1, 4))
    assert (changed_by(records, "scale"), changed_by(records, "seed")) == (Count(1, 5), Count(1, 5))
    assert [(group["runs"], group["right"]) for group in reliability(records)] == [
        (0, 0),
        (1, 0),
        (0, 0),
        (1, 1),
        (1, 1),
    ]
    assert Count(0, 150).bound == pytest.approx(1 - 0.05 ** (1 / 150))  # none of n: (1 - p)^n = 0.05


def test_hits_are_counted_outside_the_frame():
    from calibration.truth import Output
    from calibration.verdicts import hit_rate

    scores = [np.array([[0.1, -0.9, 0.5]]), np.array([[0.9, 0.2, 0.5]])]
    assert hit_rate(scores, [Output(0, 0, (1,), 3), Output(1, 0, (2,), 3)]) == 0.5
    assert hit_rate(scores, [Output(0, 0, (1,), 3), Output(1, 0, (2,), 3, frame=(0,))]) == 1


def test_the_script_trains_judges_and_keeps_its_runs(tmp_path, capsys, monkeypatch):
    from calibration import runs

    monkeypatch.setattr(runs, "NUM_TRAIN", 600)
    monkeypatch.setattr(runs, "NUM_TEST", 64)
    names = "one_word-pooling-additive-none-1,one_word-pooling-additive-uniform-1,dates-seq2seq-additive-none-1"
    words = ["--output", str(tmp_path), "--only", names, "--examples", "16", "--every", "3"]
    assert script().main(words) == 0
    table = capsys.readouterr().out
    assert "| weights | yes | partly | no | cannot tell |" in table
    assert "wrong weights that are trusted" in table
    found = json.loads((tmp_path / "results.json").read_text())
    assert (
        found["groups"]["fit"]["confusion"]["right"]["yes"] == found["groups"]["fit"]["confusion"]["wrong"]["no"] == 1
    )
    assert (
        0 < found["groups"]["judged"]["changed_by_scale"]["of"] + found["groups"]["fit"]["changed_by_scale"]["of"] < 3
    )
    assert set(found["methods"]) > {"chance", "attention", "integrated_gradients"}
    assert found["methods"]["integrated_gradients"]["all"] > found["methods"]["chance"]["all"]
    assert (tmp_path / "results.png").stat().st_size > 1000
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert len(files) == 3
    monkeypatch.setattr(runs, "_train", None)  # nothing is trained again
    (tmp_path / "facts" / f"{names.split(',')[0]}.json").unlink()
    assert script().main(words) == 0
    assert capsys.readouterr().out == table
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == files
