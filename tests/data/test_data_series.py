"""Signals: tables long and wide, arrays, windows, groups that stay together, standardization, what is refused."""

import gzip
import re

import numpy as np
import pytest

from attnfocus.commands.train.linear_baseline import fit_linear
from attnfocus.data import DatasetOptions, RawData, Row, SeriesLabelCodec, SeriesNumberCodec, load_codec, prepare
from attnfocus.data.codecs.label import NO_LABEL
from attnfocus.data.preparation import CodecChoice
from attnfocus.data.reading.signal_pictures import SIZE, drawn_signal
from attnfocus.data.sources.series import EEGConfusion, SeriesFiles, windows
from attnfocus.data.split import SplitOptions
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import ConfigError, DataError

LONG = "id,t,a,b,label,who\nx,2,3,30,up,p\nx,1,1,10,up,p\ny,1,5,50,down,q\ny,2,6,60,down,q\n"


def source(path, text, **options):
    path.write_text(text)
    return SeriesFiles(train=str(path), **options)


def test_a_long_table_holds_series_in_the_order_of_time(tmp_path):
    found = source(tmp_path / "long.csv", LONG, time_column="t", group_column="who").read(tmp_path, 0).splits["train"]
    assert [(row.id, row.target, row.group) for row in found] == [("train:x", "up", "p"), ("train:y", "down", "q")]
    assert found[0].input.tolist() == [[1, 10], [3, 30]]
    chosen = source(tmp_path / "long.csv", LONG, channels=["b"]).read(tmp_path, 0).splits["train"]
    assert chosen[0].input.tolist() == [[30], [10]]


def test_a_wide_table_and_arrays_hold_a_series_in_each_row(tmp_path):
    wide = source(tmp_path / "wide.csv", "label,s1,s2,s3\nup,1,2,3\ndown,3,2,1\n").read(tmp_path, 0).splits["train"]
    assert [(row.id, row.input.ravel().tolist(), row.target) for row in wide] == [
        ("train:2", [1, 2, 3], "up"),
        ("train:3", [3, 2, 1], "down"),
    ]
    inputs = np.arange(12).reshape(2, 3, 2)
    np.savez(tmp_path / "a.npz", inputs=inputs, targets=np.array([0, 1]), groups=np.array(["p", "q"]))
    arrays = SeriesFiles(train=str(tmp_path / "a.npz")).read(tmp_path, 0).splits["train"]
    assert [(row.input.tolist(), row.target, row.group) for row in arrays] == [
        (inputs[0].tolist(), "0", "p"),
        (inputs[1].tolist(), "1", "q"),
    ]


def test_series_of_several_files_have_names_of_their_own(tmp_path):
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(str(tmp_path / folder / "x.npz"))
        np.savez(paths[-1], inputs=np.ones((1, 4, 1)), targets=np.array([0]))
    rows = SeriesFiles(train=paths).read(tmp_path, 0).splits["train"]
    assert len({row.id for row in rows}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LONG.replace("1,5,50", "1,,50"), "long.csv:4:5: column 'a' is empty"),
        (LONG.replace("1,5,50", "1,nan,50"), "long.csv:4:5: 'nan' is no finite number"),
        (LONG.replace("6,60,down", "6,60,up"), "'up', where series y has 'down' before"),
        (LONG.replace("6,60,down,q", "6,60,down,p"), "'p', where series y has 'q' before"),
    ],
)
def test_missing_and_contradicting_values_are_named_by_file_and_row(tmp_path, text, message):
    options = {"time_column": "t", "group_column": "who"}
    with pytest.raises(DataError, match=re.escape(message)):
        source(tmp_path / "long.csv", text, **options).read(tmp_path, 0)
    raw = source(tmp_path / "long.csv", text, **options, on_bad_row="skip").read(tmp_path, 0)
    assert [len(row.input) for row in raw.splits["train"]] == [2, 1]
    assert "1 bad row skipped" in raw.notes[0]


def test_what_is_no_set_of_signals_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"dataset.step=2: .* Set window"):
        SeriesFiles(train="x.csv", step=2)
    with pytest.raises(DataError, match="has no column of values beside label, id"):
        source(tmp_path / "long.csv", "id,label\nx,up\n").read(tmp_path, 0)
    np.savez(tmp_path / "a.npz", inputs=np.array([[1.0, np.nan]]), targets=np.array([0]))
    with pytest.raises(DataError, match=r"a.npz: the value at \[0, 1\], counted from 0, is missing or not finite"):
        SeriesFiles(train=str(tmp_path / "a.npz")).read(tmp_path, 0)
    np.savez(tmp_path / "a.npz", inputs=np.zeros((1, 2)))
    with pytest.raises(DataError, match="needs the arrays inputs and targets, and has inputs"):
        SeriesFiles(train=str(tmp_path / "a.npz")).read(tmp_path, 0)
    np.savez(tmp_path / "a.npz", inputs=np.array([[{}]]), targets=np.array([0]))
    with pytest.raises(DataError, match="is no file of numpy's arrays of numbers"):
        SeriesFiles(train=str(tmp_path / "a.npz")).read(tmp_path, 0)


def test_windows_are_of_one_group_and_leave_out_what_is_less_than_one():
    row = Row("train:x", np.arange(8, dtype=np.float32)[:, None], "up")
    found = list(windows(row, 3, 2))
    assert [(each.id, each.input.ravel().tolist(), each.group) for each in found] == [
        ("train:x:1", [0, 1, 2], "train:x"),
        ("train:x:3", [2, 3, 4], "train:x"),
        ("train:x:5", [4, 5, 6], "train:x"),
    ]
    assert list(windows(row, None, None)) == [row]
    assert list(windows(row, 8, 8)) == [row]


def rows_of_groups(num_groups=6, size=5):
    random = np.random.default_rng(0)
    signals = [random.normal(5, 2, (random.integers(4, 8), 2)).astype(np.float32) for _ in range(num_groups * size)]
    return [Row(f"train:{n}", each, "ab"[n % 2], group=f"g{n // size}") for n, each in enumerate(signals)]


class Rows:
    task = "classification"

    def read(self, data_dir, seed):
        return RawData({"train": rows_of_groups()})


@pytest.mark.parametrize("stratify", [True, False])
def test_no_group_is_in_two_splits_and_folds_leave_each_out_once(tmp_path, stratify):
    options = DatasetOptions(task="classification", split=SplitOptions(valid=0.2, folds=6, stratify=stratify))
    tested = []
    for seed in range(6):
        prepared = prepare(Rows(), options, tmp_path, seed, CodecChoice([SeriesLabelCodec], is_own=True))
        groups = {name: {row.group for row in split.rows} for name, split in prepared.splits.items()}
        assert not groups["train"] & groups["test"]
        assert not groups["train"] & groups["valid"]
        assert not groups["valid"] & groups["test"]
        assert len(groups["test"]) == 1
        tested += groups["test"]
        train = np.concatenate([row.input for row in prepared.splits["train"].rows])
        assert prepared.codec.cells.scale[0] == pytest.approx(train.mean(axis=0), rel=1e-5)  # of train alone
    assert sorted(tested) == [f"g{n}" for n in range(6)]


@pytest.mark.parametrize("kind", [SeriesLabelCodec, SeriesNumberCodec])
def test_channels_are_standardized_cut_and_saved(tmp_path, kind):
    rows = rows_of_groups()
    if kind is SeriesNumberCodec:
        rows = [Row(row.id, row.input, str(n)) for n, row in enumerate(rows)]
    assert SeriesLabelCodec.for_task("regression") is SeriesNumberCodec
    codec = kind.learn(rows, TokenizerOptions()).cut(3)
    codec.save(tmp_path)
    again = load_codec(tmp_path, [kind])
    length = len(rows[0].input)
    encoded = again.encode(rows[0])
    assert encoded.inputs.shape == (-(-length // 3), 6)
    mean, deviation = (
        np.concatenate([row.input for row in rows]).mean(0),
        np.concatenate([row.input for row in rows]).std(0),
    )
    assert encoded.inputs[0] == pytest.approx(((rows[0].input[:3] - mean) / deviation).ravel(), rel=1e-3, abs=1e-4)
    assert again.input_tokens(encoded.inputs)[:2] == ["1", "4"]
    np.save(tmp_path / "one.npy", rows[0].input)
    (tmp_path / "one.csv").write_text("a,b\n" + "\n".join(f"{a!r},{b!r}" for a, b in rows[0].input.tolist()))
    for name in ("one.npy", "one.csv"):
        read = again.encode_input(str(tmp_path / name), "1")
        assert (read.inputs == encoded.inputs).all()
        assert read.targets == NO_LABEL if kind is SeriesLabelCodec else np.isnan(read.targets)
    (tmp_path / "three.csv").write_text("1,2,3\n")
    with pytest.raises(DataError, match="has 3 columns, and the model reads 2 channels"):
        again.encode_input(str(tmp_path / "three.csv"), "1")
    np.save(tmp_path / "empty.npy", np.zeros((0, 2)))
    with pytest.raises(DataError, match="is an empty recording"):
        again.encode_input(str(tmp_path / "empty.npy"), "1")
    with pytest.raises(DataError, match="train row x is of 1 channels, where the model reads 2"):
        again.check("train", [Row("x", np.zeros((4, 1)), rows[0].target)])


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_boxes_of_a_drawn_signal_cover_its_samples(count):
    samples = np.random.default_rng(0).normal(size=(count, 3))
    picture = drawn_signal(samples, 4, [(0, count)])
    assert len(picture.boxes) == -(-count // 4)
    assert picture.boxes[0, 1] == 0
    assert picture.boxes[-1, 3] == SIZE
    assert picture.regions == ((0, 0, len(picture.pixels), SIZE),)
    assert ((picture.pixels == 0).sum(axis=0) >= 3).all()  # each channel has a line in each column
    every = drawn_signal(samples, 1).boxes
    assert (every[:, 1] < every[:, 3]).all()
    assert every[:, 3].max() == SIZE
    step = np.zeros((256, 1))
    step[100:] = 1
    rows = (drawn_signal(step, 4).pixels == 0).argmax(axis=0)
    assert rows[50] > rows[150]  # larger is higher


def test_eeg_keeps_students_together_and_drops_what_two_of_them_share(tmp_path):
    names = ["SubjectID", "VideoID", "Attention", "Meditation", "Raw", "Delta", "Theta", "Alpha1", "Alpha2", "Beta1",
             "Beta2", "Gamma1", "Gamma2", "PreDefinedConfusion", "SelfDefinedConfusion"]  # fmt: skip
    lines = [",".join(names)]
    for subject in range(10):
        for lesson in range(2):
            same = 0 if lesson == 0 and subject < 2 else 10 * subject + lesson  # students 0 and 1 share a recording
            lines += [
                f"{subject},{lesson}.0," + ",".join(str(same + 9 * n) for n in range(11)) + f",1,{lesson}.0"
                for n in range(3)
            ]
    (tmp_path / "eeg_confusion").mkdir()
    (tmp_path / "eeg_confusion/EEG.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    rows = EEGConfusion(channels=["Raw", "Delta"]).read(tmp_path, 0).splits["train"]
    assert len(rows) == 20
    assert rows[3].id == "train:student-1:lesson-1"
    assert (rows[3].group, rows[3].target) == ("student 1", "confused")
    assert rows[3].input[0].tolist() == pytest.approx([11 + 18, np.log10(1 + 11 + 27)], rel=1e-5)
    options = DatasetOptions(task="classification", split=SplitOptions(valid=1, folds=10, stratify=False))
    prepared = prepare(EEGConfusion(), options, tmp_path, 3, CodecChoice([SeriesLabelCodec], is_own=True))
    assert sum(len(split.rows) for split in prepared.splits.values()) == 19
    with pytest.raises(ConfigError, match=r"dataset.channels: must be some of Attention, .*got \['Rw'\]"):
        EEGConfusion(channels=["Rw"])


def test_the_linear_baseline_of_signals_sees_a_slope():
    random = np.random.default_rng(0)
    rows = [
        Row(str(n), ((-1) ** n * np.linspace(-1, 1, 20)[:, None] + random.normal(0, 0.3, (20, 1))), "ab"[n % 2])
        for n in range(40)
    ]
    assert fit_linear(rows[:20], []).accuracy(rows[20:]) >= 0.9
