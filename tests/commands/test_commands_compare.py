"""`attnfocus compare`: runs by configuration, means over seeds, and tests that other tools agree with."""

import csv
import json
import resource
import shutil
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
from commands_runs import additive, sections, write_run
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest
from scipy.stats import binomtest
from scipy.stats import t as student_t
from tests_support import PAPER, TINY_DATES, Command, assert_for_paper, commands_run_in, summary_of

from attnfocus.cli import main
from attnfocus.commands.compare.command import compared, ordered_configurations
from attnfocus.commands.compare.configurations import Configuration
from attnfocus.commands.compare.example import Example, examples_of, first_examples
from attnfocus.commands.compare.runs import find_runs, read_runs
from attnfocus.commands.compare.significance import bootstrap_p, mcnemar_p, mean_interval, p_values
from attnfocus.errors import ConfigError
from attnfocus.layout import ANSWERS_FILE
from attnfocus.runs.predictions_file import load_answers, save_answers
from attnfocus.tasks import Prediction, TranslationTask
from attnfocus.tasks.measures.text import text_scorers

pytestmark = pytest.mark.slow

SMALL_DATES = (*TINY_DATES, "dataset.num_test=10", "dataset.num_valid=4", "decoding.max_length=6")
SMALL_IDENTITY = ("model=pooling_classifier", "trainer.max_epochs=1", "dataset.size=4", "dataset.length=4")
SMALL_IDENTITY += ("focus.num_samples=0",)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two translators, a classifier with two seeds, and one more that is by itself."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        commands_run_in(folder, patch)
        assert main(["train", "-m", "attention=dot,additive", *SMALL_DATES]) == 0
        assert main(["train", "-m", "seed=1,2", *SMALL_IDENTITY]) == 0
        assert main(["train", "attention=dot", *SMALL_IDENTITY, "run_dir=outputs/one/run"]) == 0
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_keeps_the_answers_that_its_test_metrics_come_from(trained: Path) -> None:
    for path in trained.rglob(ANSWERS_FILE):
        answers, test = load_answers(path.parent), summary_of(path.parent)["test"]
        right = [answer.prediction.strip() == answer.target.strip() for answer in answers]
        assert mean(right) == pytest.approx(test.get("exact_match", test.get("accuracy")))
        if "bleu" in test:
            texts = [answer.prediction for answer in answers], [[answer.target for answer in answers]]
            assert BLEU(force=True).corpus_score(*texts).score == pytest.approx(test["bleu"])
    assert len(list((trained / "outputs").rglob(ANSWERS_FILE))) == 5


def test_runs_of_several_tasks_and_seeds_are_put_side_by_side(trained: Path, attnfocus: Command) -> None:
    unfinished = shutil.copytree(trained / "outputs" / "one" / "run", trained / "stopped" / "run")
    (unfinished / "summary.json").write_text('{"status": "running"}')
    done = attnfocus("compare", "outputs", "stopped", "outputs/one/run", "run_dir=found", *PAPER, cwd=trained)
    assert done.returncode == 0, done.stderr
    assert "translation on dates" in done.stdout
    assert "classification on identity" in done.stdout
    assert "against dot" in done.stdout
    assert f"left out: {unfinished}: still running, or killed." in done.stderr
    assert not [char for char in done.stdout + done.stderr if ord(char) < 32 and char != "\n"]
    found = trained / "found"
    files = {"compare.yaml", "results.csv", "results-tidy.csv", "differences.csv", "results.json"}
    figures = {"compare.pdf", "compare.svg", "compare.txt"}
    assert {path.name for path in found.iterdir()} == files | figures | {"compare.html"}
    assert_for_paper(found, "compare", 6.9, "classification on identity: 3 runs of 2 configurations")
    rows = rows_of(found / "results.csv")
    names = [(row["dataset"], row["attention"], row["seeds"]) for row in rows]
    assert sorted(names) == [
        ("dates", "additive", "1"),
        ("dates", "dot", "1"),
        ("identity", "additive", "1 2"),
        ("identity", "dot", "1"),
    ]
    several = next(row for row in rows if row["seeds"] == "1 2")
    summaries = [summary_of(found / path) for path in several["run_dirs"].split(";")]
    losses = [summary["test"]["loss"] for summary in summaries]
    assert float(several["test/loss"]) == pytest.approx(mean(losses))
    assert float(several["test/loss sd"]) == pytest.approx(stdev(losses))
    assert float(several["valid/accuracy"]) == pytest.approx(mean(each["best"]["value"] for each in summaries))
    again = attnfocus("compare", "outputs", "run_dir=found", cwd=trained)
    assert again.returncode == 2
    assert "already holds results" in again.stderr


def test_p_of_texts_is_what_sacrebleu_says(trained: Path) -> None:
    first, second = (
        load_answers(next(trained.glob(f"outputs/sweeps/*/*/*attention={name}"))) for name in ("dot", "additive")
    )
    outputs = [[answer.prediction for answer in answers] for answers in (first, second)]
    references = [answer.target for answer in first]
    ours = p_values(TranslationTask, first, second, num_resamples=200)
    test = PairedTest(
        [("a", outputs[0]), ("b", outputs[1])],
        {"BLEU": BLEU(force=True), "chrF": CHRF()},
        [references],
        test_type="bs",
        n_samples=200,
    )
    _, theirs = test()
    assert outputs[0] != outputs[1]
    assert ours["bleu"] == theirs["BLEU"][1].p_value
    assert ours["chrf"] == theirs["chrF2"][1].p_value


def test_p_of_better_and_of_equal_texts() -> None:
    references = [f"word{n} of the line number {n} is here" for n in range(30)]
    worse = [text.replace("number", "no") if n % 2 else text for n, text in enumerate(references)]
    found = bootstrap_p(text_scorers("13a"), worse, references, references, num_resamples=200)
    assert found["bleu"] < 0.05
    assert found["chrf"] < 0.05
    assert bootstrap_p(text_scorers("13a"), worse, worse, references, num_resamples=20) == {
        "bleu": 1.0,
        "chrf": 1.0,
    }


def test_mcnemar_by_hand() -> None:
    """One alone is right 1 time, the other alone 7 times: p = 2 (C(8,0) + C(8,1)) / 2^8 = 18 / 256."""
    first = [True] + 7 * [False] + 5 * [True] + 4 * [False]
    second = [False] + 7 * [True] + 5 * [True] + 4 * [False]
    assert mcnemar_p(first, second) == pytest.approx(18 / 256)
    assert mcnemar_p(second, first) == pytest.approx(18 / 256)
    assert mcnemar_p(first, first) == 1.0


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (0, 1), (3, 3), (3, 4), (40, 21), (700, 612), (5000, 5300)])
def test_mcnemar_is_the_binomial_test_of_scipy(lost: int, won: int) -> None:
    first = [True] * lost + [False] * won + [True, False]
    second = [False] * lost + [True] * won + [True, False]
    theirs = binomtest(won, lost + won, 0.5).pvalue if lost + won else 1.0
    assert mcnemar_p(first, second) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("values", [[1.0, 2.0], [0.1, -0.3, 0.25, 0.0], [n**0.5 for n in range(40)]])
def test_the_interval_is_that_of_scipy(values: list[float]) -> None:
    spread = stdev(values) / len(values) ** 0.5
    theirs = student_t.interval(0.95, len(values) - 1, loc=mean(values), scale=spread)
    assert mean_interval(values) == pytest.approx(theirs, rel=1e-9)


def test_the_answers_of_a_run_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of the baseline, whatever the number of those that are compared with it."""
    for lr in (1, 2, 3):
        for seed in (1, 2):
            write_run(tmp_path / f"{lr}-{seed}", seed=seed, optimizer__lr=lr / 10)
    read: list[str] = []

    def noted(path: Path) -> Any:
        read.append(path.name)
        return load_answers(path)

    monkeypatch.setattr("attnfocus.commands.compare.differences.load_answers", noted)
    (section,) = sections(tmp_path)
    assert [list(each.p_values) for each in section.differences] == [[1, 2], [1, 2]]
    assert sorted(read) == ["1-1", "1-2", "2-1", "2-2", "3-1", "3-2"]


def test_the_interval_by_hand() -> None:
    """1, 2, 3: mean 2, deviation 1, t(0.975; 2) = 4.302653, so 2 +- 4.302653 / sqrt(3)."""
    low, high = mean_interval([1.0, 2.0, 3.0]) or (0, 0)
    assert (low, high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert mean_interval([1.0]) is None
    assert mean_interval([0.5, 0.5]) is None  # says nothing about the spread


def test_differences_are_paired_seed_by_seed(tmp_path: Path) -> None:
    # Right of four, by seed. The baseline has a seed of its own, and so has the other.
    for name, options, by_seed in (
        ("base", {}, {1: (1, 0, 0, 0), 2: (1, 1, 0, 0), 3: (1, 1, 1, 1)}),
        ("other", {"optimizer__lr": 0.2}, {2: (1, 1, 1, 0), 1: (1, 1, 1, 0), 9: (0, 0, 0, 0)}),
    ):
        for seed, right in by_seed.items():
            write_run(tmp_path / f"{name}{seed}", [bool(each) for each in right], seed=seed, **options)
    (section,) = sections(tmp_path)
    (difference,) = section.differences
    assert [row.name for row in section.rows] == ["0.1", "0.2"]
    assert [row.seeds for row in section.rows] == [(1, 2, 3), (1, 2, 9)]
    assert difference.metric == "accuracy"
    assert difference.by_seed == {1: 0.5, 2: 0.25}
    # Seed 1: two examples gained, none lost: 2 / 2^2. Seed 2: one gained: 2 / 2.
    assert difference.p_values == {1: pytest.approx(0.5), 2: pytest.approx(1.0)}
    # mean 0.375, deviation 0.176777, t(0.975; 1) = 12.706205: 12.706205 * 0.176777 / sqrt(2) = 1.588276
    assert difference.interval == pytest.approx((0.375 - 1.588276, 0.375 + 1.588276), abs=1e-5)


def test_the_baseline_is_the_first_or_the_one_that_is_named(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a")
    second = write_run(tmp_path / "b", (True, True), **additive(8))
    assert [row.name for row in sections(first, second)[0].rows] == ["dot", "additive"]
    (section,) = sections(first, second, baseline=second)
    assert [row.name for row in section.rows] == ["additive", "dot"]
    assert section.differences[0].by_seed == {1: -0.5}


def test_labels_are_the_keys_that_tell_apart(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", seed=2, device="cpu", paths__outputs="elsewhere", trainer__log_every_steps=7)
    write_run(tmp_path / "c", **additive(8))
    (section,) = sections(tmp_path)
    assert [(dict(row.labels), row.seeds) for row in section.rows] == [
        ({"attention": "dot"}, (1, 2)),
        ({"attention": "additive"}, (1,)),  # its hidden size follows from the choice
    ]
    write_run(tmp_path / "d", **additive(16))
    write_run(tmp_path / "e", attention__score={"_target_": "attnfocus.attention.CosineScore"})
    (section,) = sections(tmp_path)
    key, size = "attention.score", "attention.score.hidden_size"
    assert [dict(row.labels) for row in section.rows] == [
        {"attention": "dot", key: "DotScore", size: "-"},
        {"attention": "additive", key: "AdditiveScore", size: "8"},
        {"attention": "additive", key: "AdditiveScore", size: "16"},
        {"attention": "dot", key: "CosineScore", size: "-"},
    ]


def test_data_sets_have_tables_of_their_own(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", choices__dataset="languages", dataset__size=5)
    found = sections(tmp_path)
    assert [section.title for section in found] == ["classification on identity", "classification on languages"]
    assert [section.differences for section in found] == [[], []]


def test_one_run_alone_is_a_table(tmp_path: Path) -> None:
    (section,) = sections(write_run(tmp_path / "a"))
    assert dict(section.rows[0].labels) == {"model": "pooling_classifier", "attention": "dot"}
    assert section.differences == []


def test_a_run_given_twice_counts_once(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs" / "a")
    copy = shutil.copytree(run, tmp_path / "runs" / "b")
    found = find_runs([str(run), str(tmp_path / "runs"), f"{tmp_path}/*/a"])
    assert found == [run, copy]
    runs, left_out = read_runs(found)
    assert [each.path for each in runs] == [run]
    assert left_out == {copy: f"same configuration and seed 1 as {run}"}


def test_jobs_of_a_sweep_come_in_their_order(tmp_path: Path) -> None:
    for number in (0, 1, 2, 10):
        write_run(tmp_path / "sweep" / f"{number}_seed={number}", seed=number)
    (tmp_path / "sweep" / "3_seed=x").mkdir()
    (tmp_path / "sweep" / "3_seed=x" / "overrides.json").write_text("[]")
    names = [path.name.split("_")[0] for path in find_runs([str(tmp_path / "sweep")])]
    assert names == ["0", "1", "2", "3", "10"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no summary.json"),
        ('{"status": "running"}', "still running, or killed"),
        ('{"status": "failed", "error": "loss is nan\\nmore"}', "failed: loss is nan"),
        ('{"status": "interrupted"}', "attnfocus train resume="),
        ('{"status"', "summary.json is damaged"),
        ("[1]", "summary.json is damaged"),
        ('{"status": "new"}', "status new"),
    ],
)
def test_what_is_not_finished_is_left_out_by_name(content: str | None, reason: str, tmp_path: Path) -> None:
    sound, other = write_run(tmp_path / "a"), write_run(tmp_path / "b", seed=2)
    (other / "summary.json").unlink()
    if content is not None:
        (other / "summary.json").write_text(content)
    runs, left_out = read_runs([sound, other])
    assert [run.path for run in runs] == [sound]
    assert reason in left_out[other]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is not that of a run"),
        ("a: 1", "is not that of a run"),
        ("dataset: 3\nseed: 1", "is not that of a run"),
        ("seed: x\ndataset: {task: translation}", "is not that of a run"),
        ("seed: 1\ndataset: {task: tea}", "dataset.task: must be one of .* got 'tea'"),
    ],
)
def test_a_configuration_that_is_no_run_is_left_out(content: str, reason: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    (run / "config.yaml").write_text(content)
    with pytest.raises(ConfigError, match=f"config.yaml:? {reason}"):
        read_runs([run])


def test_other_test_examples_are_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", digest="other", optimizer__lr=0.2)
    write_run(tmp_path / "c", seed=5, optimizer__lr=0.3)
    (section,) = sections(tmp_path)
    assert [(each.by_seed, each.p_values, each.remark) for each in section.differences] == [
        ({}, {}, "not compared: other test examples (seed 1: data/fingerprints.json differ or are missing)"),
        ({}, {}, "not compared: no seed in common with the baseline"),
    ]


def test_runs_of_before_are_compared_by_the_mark_that_tells_of_names(tmp_path: Path) -> None:
    """They call a row `train:1` that was drawn for test, which is `test:1` now."""
    old = write_run(tmp_path / "a", (True, False), digest="named")
    new = write_run(tmp_path / "b", (True, True), optimizer__lr=0.2)
    (new / "data" / "fingerprints.json").write_text(json.dumps({"test": "new", "test with names": "named"}))
    for run, split in ((old, "train"), (new, "test")):
        lines = [json.loads(line) for line in (run / ANSWERS_FILE).read_text().splitlines()]
        named = [json.dumps({**line, "id": f"{split}:{line['id']}"}) for line in lines]
        (run / ANSWERS_FILE).write_text("\n".join(named) + "\n")
    (section,) = sections(tmp_path)
    (difference,) = section.differences
    assert difference.by_seed == {1: 0.5}
    assert difference.p_values == {1: 1.0}  # one example of two, by McNemar


def test_missing_answers_leave_p_empty_and_say_why(tmp_path: Path) -> None:
    write_run(tmp_path / "a", (True, False))
    missing = write_run(tmp_path / "b", None, optimizer__lr=0.2)
    stale = write_run(tmp_path / "c", (True, True), optimizer__lr=0.3, summary={"test": {"accuracy": 0.5}})
    damaged = write_run(tmp_path / "d", (True, True), optimizer__lr=0.4)
    (damaged / ANSWERS_FILE).write_text('{"id": "0"}\n')
    others = write_run(tmp_path / "e", (True, False, True, False), optimizer__lr=0.5)
    (section,) = sections(tmp_path)
    assert all(each.by_seed and not each.p_values for each in section.differences)
    remarks = [each.remark for each in section.differences]
    assert f"{missing} has no {ANSWERS_FILE}; attnfocus evaluate run={missing} writes it" in remarks[0]
    assert f"{stale / ANSWERS_FILE} is not what the summary tells of" in remarks[1]
    assert f"{damaged / ANSWERS_FILE} cannot be read" in remarks[2]
    assert f"{others} are of other examples" in remarks[3]
    (late,) = compared(ordered_configurations(read_runs([tmp_path / "a", tmp_path / "c"])[0], None), 1, deadline=0.0)
    assert late.differences[0].by_seed
    assert not late.differences[0].p_values
    assert "no p for seed 1: there was no time left for its test" in late.differences[0].remark


def test_evaluate_writes_the_answers_of_an_older_run(trained: Path, here: Path) -> None:
    run = shutil.copytree(trained / "outputs" / "one" / "run", here / "run")
    written = (run / ANSWERS_FILE).read_bytes()
    (run / ANSWERS_FILE).unlink()
    assert main(["evaluate", "run=run", "split=train"]) == 0
    assert main(["evaluate", "run=run", "decoding.beam_size=2"]) == 0
    assert not (run / ANSWERS_FILE).exists()  # these are not the answers that the summary tells of
    assert main(["evaluate", "run=run"]) == 0
    assert (run / ANSWERS_FILE).read_bytes() == written


def test_answers_that_cannot_be_written_cost_themselves_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ANSWERS_FILE).write_text("of other weights")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        save_answers(tmp_path, [Prediction("0", "a", 0.0, target="a")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "could not be written" in caplog.text
    assert not (tmp_path / ANSWERS_FILE).exists()


def test_answers_of_any_text_come_back(tmp_path: Path) -> None:
    text = "a\u2028b\n\u0085 中 \ud800"
    save_answers(tmp_path, [Prediction("0", text, 0.0, target=text), Prediction("1", "", 0.0)])
    first, second = load_answers(tmp_path)
    assert (first.prediction, first.target, second.prediction) == (text, text, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["formt=json", "runs/a"], ["formt: unknown key. Did you mean format?"]),
        (["format=xml", "runs/a"], ["format", "markdown"]),
        ([], ["runs: name run directories"]),
        (["rums"], ["rums: no such folder. Did you mean runs?"]),
        (["runs/z*"], ["runs/z*: nothing has such a name."]),
        (["empty", "runs/a"], ["empty: holds no run (no config.yaml"]),
        (["runs/a/summary.json"], ["is a file. Name the run directory."]),
        (["bench"], ["results of bench, compare or data there, but no runs"]),
        (["runs/a", "baseline=runs"], ["baseline: runs holds 2 runs. Name one of them."]),
        (["runs/a", "baseline=runs/b"], ["baseline", "cannot be it: still running"]),
        (["runs/b"], ["runs/b: still running, or killed"]),
        (["runs/a", "page=false", "example=a text"], ["example: is shown on the page", "page=true"]),
        (["runs/a", "run_dir=bench"], ["run_dir", "already holds results"]),
        (["runs/a", "example=test:9999"], ["no row test:9999", "tested on 2 rows, 0 to 1. Name one"]),
        (["runs/a", "num_resamples=0"], ["num_resamples: must be > 0"]),
        (["runs/a", "+foo=1"], ["+foo=1", "leave out the +"]),
        (["~nobody-at-all"], ["~nobody-at-all", "keys cannot be removed"]),
        (["-m", "runs/a"], ["sweeps are for train"]),
        ([f"no{n}" for n in range(9)], ["no0: no such folder", "and 6 more"]),
    ],
)
def test_a_mistake_is_named_and_nothing_written(
    arguments: list[str], said: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(here / "runs" / "a")
    write_run(here / "runs" / "b", seed=2, summary={"status": "running"})
    (here / "empty").mkdir()
    (here / "bench").mkdir()
    (here / "bench" / "bench.yaml").write_text("lengths: [8]\n")
    assert main(["compare", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) <= 5
    for text in said:
        assert text in shown.err, shown.err
    assert sorted(path.name for path in here.iterdir()) == ["bench", "empty", "runs"]


@pytest.mark.parametrize("arguments", [["page=false", "example=a text"], ["run_dir=full"]])
def test_what_needs_no_run_is_checked_before_any_is_read(
    arguments: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(here / "runs" / "a")
    (here / "full").mkdir()
    (here / "full" / "other.txt").write_text("")

    def never(*_: Any) -> Any:
        raise AssertionError("runs were looked for")

    monkeypatch.setattr("attnfocus.commands.compare.command.find_runs", never)
    assert main(["compare", "runs/a", *arguments]) == 2


def with_sources(run: Path, rows: dict[str, str | None]) -> Configuration:
    """A configuration of the run, with these test rows: id -> source; None: it is no text."""
    lines = [
        {"id": name, "prediction": "0", "target": "1", **({} if text is None else {"source": text})}
        for name, text in rows.items()
    ]
    (run / ANSWERS_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines) + "\n")
    runs, _ = read_runs([run])
    return Configuration(tuple(runs), {})


def test_an_example_is_a_row_or_a_text_and_what_looks_like_a_row_is_no_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = with_sources(write_run(tmp_path / "a"), {"test:3": "a fine film", "test:12": "a bad one"})
    second = with_sources(write_run(tmp_path / "b", seed=2), {"doc-7": "another"})
    images = with_sources(write_run(tmp_path / "c", seed=3), {"test:3": None})
    assert examples_of("test:12", [first]) == {tmp_path / "a": Example("a bad one", "1", "test:12")}
    for text in ("a film", "test", "12", "test:12 is a row"):
        assert examples_of(text, [first, second]) == dict.fromkeys((tmp_path / "a", tmp_path / "b"), Example(text))
    assert capsys.readouterr().err == ""
    assert examples_of("test:3", [first, second]) == {tmp_path / "a": Example("a fine film", "1", "test:3")}
    assert f"no row test:3: {tmp_path / 'b'} was tested on 1 row, doc-7." in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"no row test:9999: .*/a was tested on 2 rows, test:3 to test:12\.") as error:
        examples_of("test:9999", [first])
    assert [problem.instead for problem in error.value.problems] == [("example=test:3",)]  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"no row doc-8: .*/b was tested on 1 row, doc-7\."):
        examples_of("doc-8", [second])
    assert examples_of("test:3", [images]) == {tmp_path / "c": Example("", "1", "test:3")}  # read from the data
    assert first_examples([tmp_path / name for name in "abc"]) == {
        tmp_path / "a": Example("a fine film", "1", "test:3"),
        tmp_path / "b": Example("another", "1", "doc-7"),
        tmp_path / "c": Example("", "1", "test:3"),
    }
    (tmp_path / "a" / ANSWERS_FILE).unlink()
    with pytest.raises(ConfigError, match=f"attnfocus evaluate run={tmp_path / 'a'} writes it"):
        examples_of("test:3", [first])


def test_folders_need_no_key_whatever_they_are_called(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["sweep/0_lr=0.1", "sweep/1_lr=0.2,x=[1]", "中 文", "'quoted'"]
    for number, name in enumerate(names):
        write_run(here / name, optimizer__lr=number + 1)
    (here / "bench").mkdir()
    (here / "bench" / "bench.yaml").write_text("lengths: [8]\n")
    assert main(["compare", *names, "bench", "format=json", "run_dir=found"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [row["run_dirs"] for row in facts["sections"][0]["configurations"]] == [[name] for name in names]
    written = json.loads((here / "found" / "results.json").read_text(encoding="utf-8"))
    rows = [row["run_dirs"] for row in written["sections"][0]["configurations"]]
    assert rows == [[f"../{name}"] for name in names]
    assert str(here) not in (here / "found" / "results.json").read_text(encoding="utf-8")
    assert main(["compare", *names, "format=csv", "run_dir=again"]) == 0
    shown, written = capsys.readouterr().out, (here / "again" / "results.csv").read_text(encoding="utf-8")
    assert shown == written.replace("../", "")
    assert main(["compare", *names, "format=markdown", f"baseline={names[2]}"]) == 0
    assert "Against 3:" in capsys.readouterr().out
    assert len(list(here.glob("outputs/compare/*/*_4_runs_*/compare.png"))) == 1
