"""The options of decoding as a user gives them."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tests_support import TINY_DATES, only_run

import attnfocus as package
from attnfocus.commands.predict import command as predict
from attnfocus.commands.train import command as train
from attnfocus.config.overrides import CommandLine
from attnfocus.decoding import DecodingOptions
from attnfocus.errors import ConfigError
from attnfocus.runs.assembly import check_train
from attnfocus.runs.run import BATCHES_READ_AHEAD
from attnfocus.runs.schema import DecodingOverride

LINES = ["May 3, 1999", "", "12 June 2004"]


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on dates, hardly trained, so that its outputs are long and various. Only to be read."""
    folder = tmp_path_factory.mktemp("dates")
    options = [*TINY_DATES, f"paths.outputs={folder}/outputs", "device=cpu"]
    assert train.run(composed("train", *options), options) == 0
    return only_run(folder)


def composed(verb: str, *arguments: str) -> dict[str, Any]:
    return CommandLine(verb, arguments).compose(arguments, resolve=True)


def test_every_option_of_decoding_can_be_overridden() -> None:
    names = [field.name for field in fields(DecodingOptions)]
    assert [field.name for field in fields(DecodingOverride)] == names
    defaults = {field.name: field.default for field in fields(DecodingOptions)}
    assert CommandLine("train", ()).compose([])["decoding"] == defaults
    for verb in ("evaluate", "predict"):
        assert CommandLine(verb, ()).compose([])["decoding"] == dict.fromkeys(names)


def predicted(dates: Path, folder: Path, capfd: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The lines that `attnfocus predict` writes for LINES."""
    (folder / "lines.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    arguments = [f"run={dates}", f"input={folder}/lines.txt", "device=cpu", *options]
    capfd.readouterr()
    assert predict.run(composed("predict", *arguments), arguments) == 0
    return capfd.readouterr().out.split("\n")[:-1]


@pytest.mark.slow
def test_predict_writes_n_lines_for_each_input(dates: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    several = ("decoding.beam_size=3", "decoding.num_best=3", "decoding.max_length=12")
    written = predicted(dates, tmp_path, capfd, *several)
    assert len(written) == 9
    assert written[3:6] == ["", "", ""]  # no input, no output
    answers = predicted(dates, tmp_path, capfd, *several, "format=jsonl")
    first, skipped, last = (json.loads(line) for line in answers)
    assert [each["prediction"] for each in (*first["n_best"], *last["n_best"])] == written[:3] + written[6:]
    assert first["n_best"][0]["prediction"] == first["prediction"]
    assert first["n_best"][0]["score"] == first["score"]
    assert "n_best" not in skipped


@pytest.mark.slow
def test_sampling_is_reproducible_whatever_is_predicted_together(dates: Path) -> None:
    run = package.load(dates, device="cpu", decoding=DecodingOverride(sampling=True, temperature=2.0, max_length=15))
    lines = LINES * 3
    together = [answer.text for answer in run.predict(lines)]
    assert together == [next(run.predict([line])).text for line in lines]
    other = package.load(dates, device="cpu", decoding=DecodingOverride(sampling=True, temperature=2.0, seed=2))
    assert together != [answer.text for answer in other.predict(lines)]


def test_lines_that_are_read_ahead_come_out_in_their_order(dates: Path) -> None:
    run = package.load(dates, device="cpu", decoding=DecodingOverride(max_length=10))
    lines = [f"{day % 28 + 1} May 1{'9' * (day % 5)}" for day in range(2 * BATCHES_READ_AHEAD + 5)]
    lines[7] = ""
    answers = list(run.predict(lines, batch_size=2))
    assert [answer.source for answer in answers] == lines
    assert [answer.id for answer in answers] == [str(number) for number, _ in enumerate(lines, 1)]
    assert answers[7].skipped == "empty input"
    assert [answer.text for answer in answers] == [answer.text for answer in run.predict(lines, batch_size=1)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (DecodingOverride(num_best=2), r"decoding.num_best: 2 outputs do not come out of beam_size=1"),
        (DecodingOverride(replace_unknown=True), r"replace_unknown: .* dataset.tokenizer.kind is character"),
        (DecodingOverride(beam_size=2, sampling=True, num_best=4), r"decoding.sampling: true draws outputs"),
    ],
)
def test_what_does_not_go_together_is_refused_before_the_model_is_built(
    dates: Path, wanted: DecodingOverride, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        package.load(dates, device="cpu", decoding=wanted)


def test_options_of_decoding_are_checked_before_training() -> None:
    def problems(*arguments: str) -> str:
        with pytest.raises(ConfigError) as raised:
            check_train(composed("train", *arguments))
        return str(raised.value)

    both = problems("decoding.num_best=4", "decoding.top_p=0.9")
    assert "decoding.num_best: 4 outputs do not come out of beam_size=1." in both
    assert "decoding.top_p: 0.9 has no effect on a search." in both
    assert "decoding.replace_unknown: true needs words as tokens" in problems("decoding.replace_unknown=true")
    assert "decoding.top_p: must be > 0 and <= 1, got 1.5." in problems("decoding.top_p=1.5")
    classifier = problems("model=pooling_classifier", "decoding.beam_size=2", "decoding.num_best=2")
    assert "decoding.num_best: classification has one answer per input, got 2. Use 1." in classifier
