"""The closed part of the configuration: which sections there are, and the types of the keys that no class owns."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from attnfocus.config.check import Component
from attnfocus.data.preparation import DatasetOptions
from attnfocus.data.reading.input_layouts import InputFormat
from attnfocus.data.reading.layout import Format
from attnfocus.data.reading.lines import OnBadRow
from attnfocus.data.sources.files import Files
from attnfocus.decoding import DecodingOptions
from attnfocus.decoding.options import AtLimit, LengthPenalty, Nucleus, Seed
from attnfocus.focus import Regularization
from attnfocus.limits import (
    BeamSize,
    NonNegativeFloat,
    NonNegativeInt,
    NumOutputs,
    NumTokens,
    PositiveFloat,
    PositiveInt,
    Range,
)
from attnfocus.marks import Before, Beside, FilePath, Mark
from attnfocus.training.distributed.processes import DistributedOptions
from attnfocus.training.options import TrainerOptions

NAMING_GROUPS = ("model", "attention", "dataset")  # whose choices a run is called by


@dataclass(kw_only=True)
class Paths:
    data: FilePath | None = None
    outputs: FilePath = "outputs"
    cache: FilePath | None = None
    cache_gb: NonNegativeFloat = 10.0


@dataclass(frozen=True, kw_only=True)
class FocusOptions(Regularization):
    num_samples: Annotated[NonNegativeInt, Mark.RESUMABLE, Mark.NO_EFFECT] = 4


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions:
    """`model.embedding`: how the tables of tokens begin. No model sees it: see `runs.token_tables`."""

    vectors: FilePath | None = None
    target_vectors: FilePath | None = None
    frozen: bool = False
    rescale: bool = False
    ngrams: Annotated[NonNegativeInt | Literal["auto"], Before(0)] = "auto"

    @property
    def files(self) -> dict[str, tuple[str, str]]:
        """Side (source, target) -> key and file, of those that are given."""
        given = {"source": ("vectors", self.vectors), "target": ("target_vectors", self.target_vectors)}
        return {side: (f"model.embedding.{name}", file) for side, (name, file) in given.items() if file}

    def __post_init__(self) -> None:
        for name in ("frozen", "rescale"):
            if getattr(self, name) and not self.files:
                raise ValueError(f"{name}=true is for pretrained vectors. Give vectors=FILE, or {name}=false.")
        if self.files and self.ngrams not in (0, "auto"):
            raise ValueError("ngrams: pretrained vectors stand for whole words. Give ngrams=0, or leave vectors out.")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What every model has besides its class's own options."""

    embedding: EmbeddingOptions = field(default_factory=EmbeddingOptions)


@dataclass(kw_only=True)
class SweepOptions:
    resume: FilePath | None = None


@dataclass(kw_only=True)
class TrainConfig:
    """configs/train.yaml and its groups. `dataset` and `model` mix a class's own options with closed ones."""

    model: Annotated[Any, Beside(ModelOptions)]
    attention: Component
    optimizer: Component
    scheduler: Component
    dataset: Annotated[Any, Beside(DatasetOptions)]
    trainer: TrainerOptions
    decoding: Annotated[DecodingOptions, Mark.RESUMABLE]
    focus: FocusOptions
    metric: dict[str, Component] = field(default_factory=dict)  # by the names that the user gives them
    tracker: Annotated[dict[str, Component], Mark.RESUMABLE, Mark.NO_EFFECT, Mark.OF_COMMAND] = field(
        default_factory=dict
    )
    baseline: Annotated[Literal["linear"] | None, Mark.RESUMABLE, Mark.NO_EFFECT] = None
    report: Annotated[Literal["auto"] | bool, Mark.RESUMABLE, Mark.NO_EFFECT] = "auto"
    distributed: Annotated[DistributedOptions, Mark.RESUMABLE, Mark.OF_COMMAND] = field(
        default_factory=DistributedOptions
    )
    paths: Annotated[Paths, Mark.RESUMABLE, Mark.NO_EFFECT] = field(default_factory=Paths)
    seed: Annotated[int, Range(ge=0, le=2**63 - 1), Mark.NO_EFFECT] = 1
    device: Annotated[str, Mark.RESUMABLE, Mark.NO_EFFECT] = "auto"
    run_dir: Annotated[FilePath | None, Mark.OF_COMMAND] = None
    resume: Annotated[FilePath | None, Mark.RESUMABLE, Mark.OF_COMMAND] = None
    max_jobs: Annotated[PositiveInt, Mark.NO_EFFECT]
    sweep: Annotated[SweepOptions, Mark.OF_COMMAND] = field(default_factory=SweepOptions)
    trust: Annotated[list[str], Mark.RESUMABLE, Mark.OF_COMMAND] = field(default_factory=list)
    # group -> name of its choice; noted by the command line, for names
    choices: Annotated[Any, Mark.NO_EFFECT] = field(default_factory=dict)
    config_dir: Annotated[str | None, Mark.OF_COMMAND] = None  # the user's own groups; noted by the command line
    experiment: Annotated[Any, Mark.NO_EFFECT] = None  # what a recipe without `@package _global_` holds


@dataclass(kw_only=True)
class DecodingOverride:
    """What evaluate and predict may change of a run's decoding; None keeps it."""

    beam_size: BeamSize | None = None
    num_best: NumOutputs | None = None
    length_penalty: NonNegativeFloat | None = None
    length_penalty_form: LengthPenalty | None = None
    coverage_penalty: NonNegativeFloat | None = None
    min_length_ratio: NonNegativeFloat | None = None
    max_length_ratio: NonNegativeFloat | None = None
    max_length_constant: NonNegativeInt | None = None
    max_length: NumTokens | None = None
    at_limit: AtLimit | None = None
    no_repeat_ngram_size: NonNegativeInt | None = None
    replace_unknown: bool | None = None
    sampling: bool | None = None
    temperature: PositiveFloat | None = None
    top_k: NonNegativeInt | None = None
    top_p: Nucleus | None = None
    seed: Seed | None = None
    exclude_seen: bool | None = None


CheckpointName = Literal["best", "last", "average"]


@dataclass(kw_only=True)
class RunChoice:
    """Which run a verb works on, and how it is loaded."""

    run: FilePath
    checkpoint: CheckpointName = "best"
    device: str = "auto"
    trust: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class InputChoice(RunChoice):
    """What a run is asked, and how it is read; None: as the run's own files."""

    text: list[str] | str | None = None
    text_column: int | str | None = None
    encoding: str | None = None
    input_format: InputFormat = "auto"

    @property
    def texts(self) -> list[str] | None:
        """Those of the command line; None: there are none."""
        return [self.text] if isinstance(self.text, str) else self.text


@dataclass(kw_only=True)
class DataPath:
    data: FilePath | None = None
    outputs: FilePath = "outputs"


@dataclass(kw_only=True)
class ReadingOverride:
    """What a verb may say of how tables are read; None: as the run's own files."""

    separator: str | None = None
    quotes: bool | None = None
    header: bool | None = None
    encoding: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The keys that are not None."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(kw_only=True)
class DatasetOverride(ReadingOverride):
    """What evaluate and inspect may say of a run's data: other files, and how they are read; None keeps it."""

    test: Files = None
    test_target: Files = None
    valid: Files = None
    valid_target: Files = None
    train: Files = None
    train_target: Files = None
    path: FilePath | None = None
    format: Format | None = None
    text_column: int | str | None = None
    label_column: int | str | None = None
    source_column: int | str | None = None
    target_column: int | str | None = None
    on_bad_row: OnBadRow | None = None


@dataclass(kw_only=True)
class DataChoice:
    """Where the data of a run are, or others."""

    dataset: DatasetOverride = field(default_factory=DatasetOverride)
    paths: DataPath = field(default_factory=DataPath)


@dataclass(kw_only=True)
class OutputPath:
    outputs: FilePath = "outputs"
