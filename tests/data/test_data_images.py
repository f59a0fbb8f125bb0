"""Images: rows of one array, idx files, patches, augmentation."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from attnfocus.data import ArrayRows, DatasetOptions, ImageLabelCodec, RawData, Row, load_codec, prepare
from attnfocus.data.batches import collate
from attnfocus.data.codecs.augmentation import Augmentation
from attnfocus.data.codecs.cells import Cells
from attnfocus.data.preparation import CodecChoice
from attnfocus.data.reading.idx_files import read_idx
from attnfocus.data.reading.image_files import read_image
from attnfocus.data.sources.canvas import DARKEST, NOISE, Canvas
from attnfocus.data.sources.digit_shapes import DOTS
from attnfocus.data.sources.media_files import ImageFiles
from attnfocus.data.sources.mnist import MNIST
from attnfocus.data.split import SplitOptions
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import ConfigError, DataError

OPTIONS = DatasetOptions(task="classification", split=SplitOptions(valid=4, test=0))


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder, num_train=40, num_test=10, side=8):
    """A folder of the form of MNIST, random images whose label is where they are brightest."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name, count in (("train", num_train), ("t10k", num_test)):
        images = random.integers(0, 100, (count, side, side), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 3
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 3] += 150
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder.parent


def learned(rows, patch_size=None, **options):
    return ImageLabelCodec.learn(rows, TokenizerOptions(), **options).cut(patch_size)


def test_cells_are_cut_row_by_row_and_filled_up_at_the_end():
    image = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    cells = Cells((3, 4, 1), (2, 2), np.array([[1.0], [2.0]], np.float32))
    assert cells.vectors(image)[3].tolist() == [4.5, 5.0, 0.0, 0.0]
    assert cells.cut(image).tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 0, 0], [10, 11, 0, 0]]
    assert str(cells.grid) == "2 x 2 cells of 2 x 2"
    assert cells.names(4) == ["1,1", "1,2", "2,1", "2,2"]
    assert cells.touched([(1, 1, 2, 2)], 4) == (True, False, False, False)
    assert cells.touched([(1, 1, 3, 3)], 4) == (True, True, True, True)
    color = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    assert Cells((2, 4, 3), (1, 2), np.ones((2, 3), np.float32)).cut(color).tolist() == color.reshape(4, 6).tolist()


def test_rows_of_an_array_are_made_when_they_are_taken():
    images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
    rows = ArrayRows("train", images, np.array([0, 1, 0, 1, 1]), ("a", "b"))
    some = rows.taken(np.array([True, False, False, True, True]))
    assert [row.id for row in some] == ["train:1", "train:4", "train:5"]
    assert list(some.targets()) == [row.target for row in some] == ["a", "b", "b"]
    assert np.shares_memory(some[1].input, images)
    assert [row.id for row in some.taken(np.array([False, True, True]))[:1]] == ["train:4"]
    assert some.changed(lambda row: row) is some
    changed = some.changed(lambda row: row if row.id != "train:4" else Row("x", row.input, "c"))
    assert [(row.id, row.target) for row in changed] == [("train:1", "a"), ("x", "c"), ("train:5", "b")]


def test_a_set_of_images_is_prepared_without_a_row_for_each(tmp_path):
    source = MNIST(download=False)
    raw = source.read(write_mnist(tmp_path / "mnist"), seed=0)
    images = np.array([row.input for row in raw.splits["train"]])
    images[7] = images[3]  # repeated
    test = np.array([row.input for row in raw.splits["test"]])
    images[10], images[12] = test[1], images[11]  # also in test; repeated, with another label
    splits = {
        "train": ArrayRows("train", images, np.array([0, 1, 2, 0, 1] * 8), "abc"),
        "test": ArrayRows("test", test, np.zeros(10, dtype=int), "abc"),
    }

    class Fixed:
        task = "classification"

        def read(self, data_dir, seed):
            return RawData(splits)

    prepared = prepare(Fixed(), OPTIONS, tmp_path, 0, CodecChoice([ImageLabelCodec], is_own=True, patch_size=4))
    train = prepared.splits["train"]
    assert isinstance(train.rows, ArrayRows)
    assert "1 also in valid or test dropped" in prepared.report[0]
    assert prepared.report[-1].endswith("input_dim 16, num_classes 3; 2 x 2 cells of 4 x 4")
    keys = {split: {ImageLabelCodec.input_key(row) for row in each.rows} for split, each in prepared.splits.items()}
    assert not keys["train"] & (keys["valid"] | keys["test"])
    assert train.lengths.tolist() == [[4, 0]] * len(train)
    batch = collate([train[0], train[1]])
    assert batch.inputs.shape == (2, 4, 16)
    values = np.concatenate([train[number].inputs for number in range(len(train))])
    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1, abs=0.05)
    prepared.codec.save(tmp_path)
    again = load_codec(tmp_path, [ImageLabelCodec])
    assert (again.encode(train.rows[3]).inputs == train[3].inputs).all()
    assert (again.grid, again.dims()) == (prepared.codec.grid, prepared.codec.dims())


def test_idx_files_are_read_plain_or_packed_and_what_is_damaged_is_named(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "a").write_bytes(idx(array))
    (tmp_path / "b.gz").write_bytes(gzip.compress(idx(array)))
    assert (read_idx(tmp_path / "a") == array).all()
    assert (read_idx(tmp_path / "b.gz") == array).all()
    broken = {
        "short": idx(array)[:-1],
        "long": idx(array) + b"x",
        "kind": b"\0\0\x0d" + idx(array)[3:],
        "packed": gzip.compress(idx(array))[:-10],
        "large": b"\0\0\x08\x02" + b"\xff" * 8,
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            read_idx(tmp_path / name)
    with pytest.raises(DataError, match=r"missing|does not exist"):
        MNIST(download=False).read(tmp_path, 0)


def test_images_are_augmented_by_what_a_generator_draws_alone():
    image = np.zeros((9, 9, 1), dtype=np.float32)
    image[3:5, 4:7] = 200
    rows = [Row("a", image[:, :, 0].astype(np.uint8), "a"), Row("b", np.ones((9, 9), np.uint8), "b")]
    codec = learned(rows, 3, shift=3, rotation=20, crop=0.2, flip=True)
    draws = [codec.encode(rows[0], np.random.default_rng([1, epoch, 0])).inputs for epoch in (0, 0, 1)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()
    assert (codec.encode(rows[0]).inputs == learned(rows, 3).encode(rows[0], np.random.default_rng(0)).inputs).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_augmentation_moves_turns_and_mirrors_as_the_operations_one_by_one(seed):
    image = np.zeros((21, 21, 1), dtype=np.float32)
    image[8:12, 9:15] = np.arange(24).reshape(4, 6, 1)

    def drawn():
        return np.random.default_rng(seed)

    moved = Augmentation(shift=4).applied(image, drawn())
    down, right = drawn().uniform(-4, 4, 2)
    assert np.allclose(moved[:, :, 0], ndimage.shift(image[:, :, 0], (down, right), order=1), atol=1e-3)
    turned = Augmentation(rotation=90).applied(image, drawn())
    random = drawn()
    random.uniform(0, 0, 2)
    angle = random.uniform(-90, 90)
    expected = ndimage.rotate(image[:, :, 0], angle, reshape=False, order=1, mode="nearest")
    assert np.allclose(turned[:, :, 0], expected, atol=1e-3)
    both = [Augmentation(flip=True).applied(image, np.random.default_rng(each)) for each in range(8)]
    kinds = {np.allclose(each, image[:, ::-1]) + 2 * np.allclose(each, image) for each in both}
    assert kinds == {1, 2}


def test_images_of_other_sizes_are_refused_or_resized():
    rows = [Row("a", np.zeros((8, 8), np.uint8), "a"), Row("b", np.full((6, 9), 255, np.uint8), "b")]
    with pytest.raises(DataError, match=r"row b: an image of 6 x 9 pixels.*\n.*dataset.codec.size=\[8,8\]"):
        learned(rows)
    codec = learned(rows, size=[4, 6])
    assert codec.pixels(rows[1]).tolist() == np.full((4, 6, 1), 255).tolist()
    assert codec.input_problem(rows[1]) is None
    unresized = learned([rows[0], Row("c", np.zeros((8, 8), np.uint8), "c")])
    assert unresized.input_problem(rows[1]).startswith("of 6 x 9")
    with pytest.raises(ConfigError, match=r"model.input.patch_size=7: is more than an input has, 4 rows and 6 columns"):
        codec.cut(7)
    assert codec.cut([2, 3]).grid[:2] == (2, 2)
    for make in (codec.cut, ImageLabelCodec.trial_grid):
        with pytest.raises(ConfigError, match=r"model.input.patch_size=\[3\]: takes one number, or rows and columns"):
            make([3])


def write_images(folder, classes=("cat", "dog"), count=3, side=8):
    """A folder with a folder of PNG files for each class."""
    random = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for image in range(count):
            pixels = random.integers(0, 80, (side, side, 3), dtype=np.uint8)
            pixels[2 * number : 2 * number + 3] += 150
            Image.fromarray(pixels).save(folder / name / f"{image}.png")
    return folder


def test_a_folder_of_images_has_a_class_for_each_folder(tmp_path):
    folder = write_images(tmp_path / "pets")
    rows = ImageFiles(train=str(folder)).read(tmp_path, 0).splits["train"]
    assert [(row.id, row.target) for row in rows][2:4] == [("train:cat/2.png", "cat"), ("train:dog/0.png", "dog")]
    codec = learned(rows, 4)
    assert codec.cells.shape == (8, 8, 3)
    assert codec.encode(rows[0]).inputs.shape == (4, 48)
    (tmp_path / "copy").mkdir()
    copied = tmp_path / "copy" / "x.png"
    copied.write_bytes((folder / "cat" / "0.png").read_bytes())
    same = Row("x", str(copied), "cat")
    assert ImageLabelCodec.input_key(same) == ImageLabelCodec.input_key(rows[0])  # by content
    assert ImageLabelCodec.fingerprint(same) == ImageLabelCodec.fingerprint(rows[0])
    given = tmp_path / "given"
    for name in ("train", "val"):
        write_images(given / name)
    assert {split: len(each) for split, each in ImageFiles(train=str(given)).read(tmp_path, 0).splits.items()} == {
        "train": 6, "valid": 6,
    }  # fmt: skip


def test_a_table_of_images_names_what_is_broken(tmp_path):
    folder = write_images(tmp_path / "pets")
    (folder / "bad.png").write_bytes((folder / "cat" / "0.png").read_bytes()[:80])
    (folder / "text.png").write_text("no image")
    table = tmp_path / "pets" / "table.csv"
    table.write_text("label,path\ncat,cat/0.png\ndog,bad.png\ndog,text.png\ndog,none.png\ndog,dog/1.png\n")
    with pytest.raises(DataError) as error:
        ImageFiles(train=str(table)).read(tmp_path, 0)
    message = str(error.value)
    assert message.startswith("3 bad rows:")
    assert "table.csv:3:" in message
    assert "bad.png: is damaged, or no image" in message
    assert "text.png: is no image that Pillow knows" in message
    assert "none.png: No such file" in message
    assert "dataset.on_bad_row=skip" in message
    raw = ImageFiles(train=str(table), on_bad_row="skip").read(tmp_path, 0)
    assert [row.target for row in raw.splits["train"]] == ["cat", "dog"]
    assert "3 bad rows skipped" in raw.notes[0]
    with pytest.raises(DataError, match="has no folders, one for each class"):
        ImageFiles(train=str(folder / "cat")).read(tmp_path, 0)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [("L", "auto", [[100]]), ("RGB", "auto", [[10, 20, 30]]), ("RGB", "gray", [[18]]), ("RGBA", "rgb", [[255] * 3])],
)
def test_images_are_read_in_the_color_that_is_asked_for(tmp_path, mode, color, expected):
    value = {"L": 100, "RGB": (10, 20, 30), "RGBA": (10, 20, 30, 0)}[mode]  # the last is transparent: white
    Image.new(mode, (3, 2), value).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png", color)
    assert pixels.shape[:2] == (2, 3)
    assert pixels[0, :1].tolist() == expected
    Image.fromarray(np.full((2, 3), 65535, np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png", "auto").max() == 255


def test_a_canvas_knows_where_its_digit_is():
    source = Canvas(size=30, num_distractors=3, num_train=40, num_valid=20, num_test=20)
    splits, again = (source.read(Path(), seed).splits for seed in (1, 2))
    assert list(splits["test"]) == list(again["test"])
    assert list(splits["train"]) != list(again["train"])
    for row in splits["train"]:
        ((top, left, bottom, right),) = row.regions
        inside = row.input[top:bottom, left:right] >= DARKEST
        assert (inside == np.kron(DOTS[int(row.target)], np.ones((2, 2))).astype(bool)).all()
        around = row.input.copy()
        around[top:bottom, left:right] = 0
        assert 0 <= (around >= DARKEST).sum() <= 3 * 36
    codec = learned(splits["train"], 5)
    marked = np.array(codec.rationale(splits["train"][0])).reshape(6, 6)
    top, left, bottom, right = splits["train"][0].regions[0]
    assert marked.sum() == (-(-bottom // 5) - top // 5) * (-(-right // 5) - left // 5)


def written_digits(folder):
    """A small MNIST of bright rectangles, whose label is their height less 6."""
    (folder / "mnist").mkdir()
    for name, count in (("train", 40), ("t10k", 10)):
        images, labels = np.zeros((count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8) % 10
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            image[5 : 11 + label, 6 : 9 + number % 7] = 250
        (folder / "mnist" / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / "mnist" / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


def test_a_canvas_of_handwritten_digits_knows_their_rectangle(tmp_path):
    options = {"digits": "mnist", "size": 40, "num_distractors": 3, "download": False}
    source = Canvas(**options, num_train=30, num_valid=10, num_test=10)
    raw = source.read(written_digits(tmp_path), seed=1)
    for rows in raw.splits.values():
        for row in rows:
            ((top, left, bottom, right),) = row.regions
            assert bottom - top == 6 + int(row.target)  # nothing but the digit is in its rectangle
            assert (row.input[top:bottom, left:right] > NOISE).all()
            around = row.input.copy()
            around[top:bottom, left:right] = 0
            assert (around > NOISE).sum() <= 3 * 64
    assert raw.splits["test"][0] == source.read(tmp_path, seed=2).splits["test"][0]
    plain = Canvas(size=40, num_train=30, num_valid=10, num_test=10).read(tmp_path, seed=1)
    assert plain.splits["train"][0].input.shape == raw.splits["train"][0].input.shape == (40, 40)
    with pytest.raises(ConfigError, match=r"Use dataset\.size=28 or more"):
        Canvas(digits="mnist", size=24)
    with pytest.raises(DataError, match=r"dataset=mnist: .*does not exist"):
        source.read(tmp_path / "none", seed=1)
