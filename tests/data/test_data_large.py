"""What many rows need: signs of life, and no object for each of them."""

import gzip
import itertools
from pathlib import Path

import pytest

from attnfocus.data.codecs.text_pair import TextPairCodec
from attnfocus.data.preparation import CodecChoice, DatasetOptions, prepare
from attnfocus.data.sources.files import ParallelText
from attnfocus.stages import Stage, watching

MANY = 2500


class Watch:
    """The stages that there were, and how far each had come at its steps."""

    def __init__(self) -> None:
        self.fractions: dict[str, list[float | None]] = {}

    def stage_began(self, stage: Stage) -> None:
        self.fractions.setdefault(stage.name, [])

    def stage_moved(self, stage: Stage) -> None:
        self.fractions[stage.name].append(stage.fraction)

    def stage_ended(self, stage: Stage) -> None: ...


def written(folder: Path, name: str = "train.tsv") -> str:
    lines = "".join(f"one {n} zwölf\tun {n % 7} deux\n" for n in range(MANY)).encode()
    (folder / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    return str(folder / name)


def prepared(path: str, **options):
    return prepare(ParallelText(train=path), DatasetOptions(**options), Path("."), 0, CodecChoice([TextPairCodec]))


@pytest.mark.parametrize("name", ["train.tsv", "train.tsv.gz"])
def test_every_part_of_preparing_data_is_a_stage(name: str, tmp_path: Path) -> None:
    watch = Watch()
    with watching(watch):
        prepared(written(tmp_path, name))
    assert list(watch.fractions) == [
        f"reading {name}",
        "cleaning",
        "learning from train",
        "learning byte pairs",
        "encoding",
        "fingerprints",
    ]
    for moving in (f"reading {name}", "learning byte pairs", "encoding"):
        steps = watch.fractions[moving]
        assert (steps[0] or 0) > 0, moving
    reading = watch.fractions[f"reading {name}"]
    assert all(0 < step <= 1 for step in reading if step is not None)
    assert all(before <= after for before, after in itertools.pairwise(reading) if before and after)
    assert watch.fractions["encoding"][-1] == 1
