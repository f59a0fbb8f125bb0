"""Recordings: files of many kinds, frames of log-mel energies, masks, positions, own folders and tables."""

import gzip
import tarfile

import numpy as np
import pytest
from tones import RATE, tone, wav, write_fsdd, write_tones
from transformers.audio_utils import mel_filter_bank, spectrogram

from attnfocus.data import FSDD, FSDDStrings, Row, SoundFiles, SoundLabelCodec, SoundTextCodec, load_codec
from attnfocus.data.codecs.log_mel import LogMel, SpecAugment, mel_filters
from attnfocus.data.reading import sound_files
from attnfocus.data.reading.sound_files import decoded, resampled, seen_sound
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import ConfigError, DataError


def rows():
    return [Row(f"train:{hertz}", tone(hertz, 0.2 + hertz / 1e4), "low" if hertz < 1000 else "high")
            for hertz in (200, 300, 1500, 2500)]  # fmt: skip


def learned(some=None, patch_size=None, **options):
    options = {"sample_rate": RATE, "n_mels": 20, **options}
    return SoundLabelCodec.learn(some or rows(), TokenizerOptions(), **options).cut(patch_size)


@pytest.mark.parametrize(("rate", "n_mels"), [(8000, 20), (16000, 40)])
def test_frames_are_those_of_another_library(rate, n_mels):
    made = LogMel(rate, n_mels, 25.0, 10.0)
    bins = made.fft_length // 2 + 1
    filters = mel_filter_bank(bins, n_mels, 0.0, rate / 2, rate, norm=None, mel_scale="htk")
    assert np.allclose(mel_filters(rate, made.fft_length, n_mels), filters, atol=1e-6)
    samples = np.random.default_rng(0).normal(0, 0.1, made.frame + 7 * made.hop).astype(np.float32)
    window = np.hanning(made.frame + 1)[:-1]
    options = {"fft_length": made.fft_length, "power": 2.0, "center": False, "mel_filters": filters, "log_mel": "log"}
    expected = spectrogram(samples, window, made.frame, made.hop, **options, mel_floor=1e-8).T
    assert made.of(samples).shape == (8, n_mels)
    assert np.allclose(made.of(samples), expected, atol=1e-3)


def test_every_sample_lies_in_a_frame_and_seconds_find_their_frames():
    made = LogMel(RATE, 20, 25.0, 10.0)
    assert [made.num_frames(count) for count in (1, 200, 201, 280, 281)] == [1, 1, 2, 2, 3]
    short = made.of(np.ones(5, dtype=np.float32))
    assert short.shape == (1, 20)
    assert np.isfinite(short).all()
    assert made.frames_of(800, 1600, 30) == (9, 19)  # middles at 100, 180, ...: 820 is that of frame 9
    assert made.frames_of(0, 10, 30) == (0, 1)
    assert made.frames_of(5000, 9000, 30) == (29, 30)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_wav_files_of_all_kinds_hold_the_same_samples(dtype):
    expected = tone(440, dtype=np.float64)
    sound = decoded(wav(tone(440, dtype=dtype)), "a")
    assert sound.rate == RATE
    assert np.allclose(sound.samples, expected, atol=1e-2 if dtype is np.uint8 else 1e-4)
    stereo = np.stack([tone(440, dtype=np.float32), np.zeros(2400, np.float32)], axis=1)
    assert np.allclose(decoded(wav(stereo), "a").samples, expected / 2, atol=1e-4)


def test_other_rates_are_brought_to_that_of_the_model():
    high = decoded(wav(tone(440, rate=16000), 16000), "a")
    low = resampled(high, RATE)
    assert len(low) == 2400
    assert np.allclose(low[100:-100], tone(440, dtype=np.float64)[100:-100], atol=0.01)
    some = [*rows(), Row("a", np.frombuffer(wav(tone(400, 0.31, 44100), 44100), dtype=np.uint8), "low")]
    codec = learned(some)
    assert [codec.lengths(row)[0] for row in some] == [len(codec.encode(row).inputs) for row in some]


def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    whole = wav(tone(440))
    broken = {
        "short.wav": (whole[:-50], "ends after 4,794 of 4,844 bytes"),
        "head.wav": (whole[:12] + b"\0" * 60, "ends after|is damaged"),
        "empty.wav": (wav(np.zeros(0, np.int16)), "an empty recording"),
        "none.wav": (b"", "is empty"),
        "nan.wav": (wav(np.array([0, np.nan], np.float32)), "not finite"),
    }
    for name, (content, reason) in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}: .*({reason})"):
            seen_sound(tmp_path / name)
    with pytest.raises(DataError, match=r"gone.wav: No such file"):
        seen_sound(tmp_path / "gone.wav")
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(50))
    with pytest.raises(DataError, match=r"a.flac: is no wav.\n.*pip install 'attnfocus\[audio\]'"):
        seen_sound(tmp_path / "a.flac")
    monkeypatch.setattr(sound_files, "MAX_SAMPLES", 100)
    with pytest.raises(DataError, match="has 2,400 samples, and at most 100"):
        decoded(whole, "a")


def test_flac_is_read_by_soundfile(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.flac", tone(440), RATE)
    assert np.allclose(sound_files.read_sound(tmp_path / "a.flac").samples, tone(440, dtype=np.float64), atol=1e-3)
    (tmp_path / "b.flac").write_bytes((tmp_path / "a.flac").read_bytes()[:60])
    with pytest.raises(DataError, match=r"b\.flac"):
        seen_sound(tmp_path / "b.flac")
    (tmp_path / "note.wav").write_text("a text")
    with pytest.raises(DataError, match=r"note\.wav: is no sound, or damaged: Format not recognised\.$"):
        seen_sound(tmp_path / "note.wav")


def test_positions_hold_frames_and_are_named_by_their_seconds(tmp_path):
    codec, row = learned(), rows()[0]
    assert codec.dims() == {"vocab_size": None, "input_dim": 80, "num_classes": 2}
    assert (str(codec.grid), codec.grid.is_plane) == ("any x 1 cells of 4 x 1", False)
    frames = codec.frames.of(row)  # (F, M)
    assert (codec.encode(row).inputs[1] == frames[4:8].flatten()).all()
    assert codec.input_tokens(range(3)) == ["0.00", "0.04", "0.08"]
    plane = learned(patch_size=[2, 5])
    assert str(plane.grid) == "any x 4 cells of 2 x 5"
    assert (plane.encode(row).inputs[5] == frames[2:4, 5:10].flatten()).all()
    assert plane.input_tokens(range(5))[3:] == ["0.00,4", "0.02,1"]
    assert (codec.input_unit, plane.input_unit) == ("seconds", "seconds and parts of the mel bands")
    assert learned(patch_size=[4, 20]).grid.is_plane is False
    with pytest.raises(ConfigError, match=r"model\.input\.patch_size"):
        learned(patch_size=[4, 21])
    for each in (codec, plane):
        each.save(tmp_path)
        again = load_codec(tmp_path, [SoundLabelCodec])
        assert (again.encode(row).inputs == each.encode(row).inputs).all()
        assert (again.grid, again.dims()) == (each.grid, each.dims())


@pytest.mark.parametrize("normalization", ["recording", "train"])
def test_mel_bands_are_standardized(normalization):
    codec = learned(normalization=normalization)
    every = np.concatenate([codec.frames.of(row) for row in rows()])
    assert np.allclose(every.mean(axis=0), 0, atol=0.05)
    louder = Row("a", tone(300) // 4, "low"), Row("b", tone(300), "low")
    same = np.allclose(*(codec.frames.of(row) for row in louder), atol=0.2)
    assert same is (normalization == "recording")


def test_a_spectrogram_has_time_to_the_right_and_high_frequencies_at_the_top():
    codec = learned()
    row = Row("a", np.concatenate([tone(300), tone(2500)]), "low", regions=((0, 0, 2400, 1),))
    picture = codec.picture(row)
    num_frames = codec.frames.num_frames(row)
    assert picture.pixels.shape == (20, num_frames)
    high, low = picture.pixels[:10].astype(int), picture.pixels[10:].astype(int)
    assert low[:, :25].mean() > low[:, -25:].mean()
    assert high[:, :25].mean() < high[:, -25:].mean()
    assert picture.boxes[1].tolist() == [0, 4, 20, 8]
    assert picture.boxes[-1, 3] == num_frames
    assert picture.regions == ((0, 0, 20, 29),)
    assert codec.rationale(row) == (True,) * 8 + (False,) * (len(picture.boxes) - 8)
    assert learned(patch_size=[4, 5]).picture(row).boxes[1].tolist() == [10, 0, 15, 4]


def test_masks_are_what_a_generator_draws_alone_and_evaluations_have_none():
    codec = learned(time_masks=2, time_mask=0.5, mel_masks=1, mel_mask=6)
    row = rows()[0]
    draws = [codec.encode(row, np.random.default_rng([1, epoch, 0])).inputs for epoch in (0, 0, 1)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()
    assert (codec.encode(row).inputs == learned().encode(row).inputs).all()
    frames = np.ones((50, 20), dtype=np.float32)
    for seed in range(50):
        masked = SpecAugment(1, 0.2, 1, 4).applied(frames, np.random.default_rng(seed)) == 0
        times, mels = masked.all(axis=1).sum(), masked.all(axis=0).sum()
        assert times <= 10
        assert mels <= 4
        assert masked.sum() == times * 20 + mels * 50 - times * mels
    assert frames.all()


def test_options_that_do_not_go_together_are_refused():
    for options, match in (
        ({"hop_ms": 30.0}, "hop_ms=30: is longer than a frame"),
        ({"hop_ms": 0.01}, "less than a sample"),
        ({"n_mels": 500}, "n_mels=500: are so many"),
    ):
        with pytest.raises(DataError, match=match):
            learned(**options)


def test_own_recordings_come_from_folders_and_tables(tmp_path):
    folder = write_tones(tmp_path / "tones")
    (folder / "low" / "notes.txt").write_text("no recording")
    raw = SoundFiles(train=str(folder)).read(tmp_path, 0)
    train = raw.splits["train"]
    assert [row.id for row in train][:2] == ["train:high/0.wav", "train:high/1.wav"]
    assert {row.target for row in train} == {"low", "high"}
    (folder / "table.csv").write_text("path,label\nlow/0.wav,low\n" + f"{folder}/high/1.wav,high\n")
    table = SoundFiles(train=str(folder), test=str(folder / "table.csv")).read(tmp_path, 0).splits["test"]
    assert [(row.input, row.target) for row in table] == [
        (str(folder / "low/0.wav"), "low"),
        (str(folder / "high/1.wav"), "high"),
    ]
    (folder / "high" / "2.wav").write_bytes(b"RIFF....WAVE")
    (folder / "bad.csv").write_text("path,label\nlow/0.wav,low\nlow/9.wav,low\nhigh/2.wav,high\n")
    with pytest.raises(DataError, match=r"2\.wav:1:1: (ends|is)") as caught:
        SoundFiles(train=str(folder)).read(tmp_path, 0)
    assert "dataset.on_bad_row=skip" in str(caught.value)
    with pytest.raises(DataError, match=r"(?s)bad.csv:3:1: .*9.wav: No such file.*bad.csv:4:1: .*2.wav"):
        SoundFiles(train=str(folder / "bad.csv")).read(tmp_path, 0)
    skipped = SoundFiles(train=str(folder), on_bad_row="skip").read(tmp_path, 0)
    assert len(skipped.splits["train"]) == 7
    assert skipped.notes[0].startswith("1 bad row skipped")
    with pytest.raises(DataError, match=r"dataset.train=.*does not exist"):
        SoundFiles(train=str(tmp_path / "nowhere")).read(tmp_path, 0)
    with pytest.raises(DataError, match="has no folders, one for each class, with recordings"):
        SoundFiles(train=str(folder / "low")).read(tmp_path, 0)


def test_spoken_digits_have_the_split_of_the_set_or_leave_a_speaker_out(tmp_path):
    data = write_fsdd(tmp_path / "fsdd")
    splits = FSDD().read(data, 0).splits
    assert [row.id for row in splits["test"]][:3] == ["test:0_jackson_0", "test:0_jackson_4", "test:0_theo_0"]
    assert [len(splits[split]) for split in ("train", "test")] == [12, 12]
    assert {row.target for row in FSDD(label="speaker").read(data, 0).splits["train"]} == {"jackson", "theo"}
    without = FSDD(test_speaker="theo").read(data, 0).splits
    assert {row.id.split("_")[1] for row in without["test"]} == {"theo"}
    assert {row.id.split("_")[1] for row in without["train"]} == {"jackson"}
    with pytest.raises(ValueError, match="test_speaker=theo: train would not know"):
        FSDD(label="speaker", test_speaker="theo")
    with tarfile.open(data / "fsdd" / "recordings.tar.gz") as archive:
        archive.extractall(data / "fsdd", filter="data")
    again = FSDD().read(data, 0).splits["train"]
    plain = tmp_path / "plain" / "fsdd" / "recordings.tar"
    plain.parent.mkdir(parents=True)
    plain.write_bytes(gzip.decompress((data / "fsdd" / "recordings.tar.gz").read_bytes()))
    assert [row.id for row in FSDD().read(tmp_path / "plain", 0).splits["train"]] == [row.id for row in again]
    assert [(row.id, row.input.tobytes()) for row in again] == [
        (row.id, row.input.tobytes()) for row in splits["train"]
    ]
    with pytest.raises(DataError, match=r"recordings.tar.gz.*\n.*free-spoken-digit-dataset"):
        FSDD().read(tmp_path / "elsewhere", 0)
    broken = tmp_path / "broken" / "fsdd"
    broken.mkdir(parents=True)
    (broken / "recordings.tar.gz").write_bytes((data / "fsdd" / "recordings.tar.gz").read_bytes()[:2000])
    with pytest.raises(DataError, match="cannot be read"):
        FSDD().read(broken.parent, 0)


def test_strings_of_digits_are_made_of_recordings_of_their_split_alone(tmp_path):
    data = write_fsdd(tmp_path / "fsdd", numbers=(0, 5, 10, 11))
    sizes = {"num_train": 30, "num_valid": 10, "num_test": 10}
    splits = FSDDStrings(**sizes).read(data, 1).splits
    again, other = (FSDDStrings(**sizes).read(data, seed).splits for seed in (1, 2))
    assert [row.input.tobytes() for row in again["train"]] == [row.input.tobytes() for row in splits["train"]]
    assert [row.input.tobytes() for row in other["train"]] != [row.input.tobytes() for row in splits["train"]]
    assert [row.input.tobytes() for row in other["test"]] == [row.input.tobytes() for row in splits["test"]]
    raw = {}
    for split, rows_of_set in FSDD().read(data, 0).splits.items():
        for row in rows_of_set:
            number = int(row.id.rpartition("_")[2])
            samples = decoded(row.input.tobytes(), row.id).samples
            raw.setdefault("valid" if 5 <= number < 10 else split, []).append((row.target, samples.tobytes()))
    for split, made in splits.items():
        for row in made:
            samples, digits = decoded(row.input.tobytes(), row.id).samples, row.target.split()
            assert 3 <= len(digits) <= 5
            assert len(digits) == len(row.regions)
            for digit, (start, _, end, _) in zip(digits, row.regions, strict=True):
                assert (digit, samples[start:end].tobytes()) in raw[split]
    with pytest.raises(ValueError, match="min_digits=6 is more than max_digits=5"):
        FSDDStrings(min_digits=6)


def test_the_words_of_a_recording_are_linked_with_the_positions_that_say_them(tmp_path):
    samples = np.concatenate([tone(300), tone(900), tone(2500)])
    regions = tuple((start, 0, start + 2400, 1) for start in (0, 2400, 4800))
    row = Row("a", samples, "3 1 3", regions=regions)
    tokenizer = TokenizerOptions(kind="whitespace", min_frequency=1)
    codec = SoundTextCodec.learn([row, Row("b", tone(500), "1")], tokenizer, sample_rate=RATE, n_mels=20)
    links = codec.links(row)
    assert links.sure == frozenset()
    # word 1 has the frames whose middles lie in it, 29 to 58, in cells of 4
    assert {position for word, position in links.possible if word == 1} == set(range(7, 15))
    assert {word for word, _ in links.possible} == {0, 1, 2}
    assert codec.links(Row("c", samples, "3 1", regions=regions)) is None
    assert codec.rationale(row) is None
    encoded = codec.encode(row)
    assert codec.lengths(row) == (len(encoded.inputs), len(encoded.targets)) == (23, 5)
    assert codec.decode_target(encoded.targets) == "3 1 3"
    assert codec.dims() == {"source_vocab_size": None, "input_dim": 80, "target_vocab_size": 6}
    codec.save(tmp_path)
    again = load_codec(tmp_path, [SoundTextCodec])
    assert (again.encode(row).inputs == encoded.inputs).all()
    assert again.decode_target(encoded.targets) == "3 1 3"
