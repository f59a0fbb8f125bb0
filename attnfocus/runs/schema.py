"""The closed part of the configuration: which sections there are, and the types of the keys that no class owns."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from attnfocus.config.check import Component
from attnfocus.data.preparation import DatasetOptions
from attnfocus.decoding import DecodingOptions
from attnfocus.decoding.options import LengthPenalty, Nucleus, Seed
from attnfocus.focus import Regularization
from attnfocus.limits import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Range
from attnfocus.training.distributed.processes import DistributedOptions
from attnfocus.training.options import TrainerOptions


@dataclass(kw_only=True)
class Paths:
    data: str | None = None
    outputs: str = "outputs"


@dataclass(frozen=True, kw_only=True)
class FocusOptions(Regularization):
    num_samples: NonNegativeInt = 4


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions:
    """`model.embedding`: pretrained vectors. The command reads the files and fills the tables; no model sees them."""

    vectors: str | None = None
    target_vectors: str | None = None
    frozen: bool = False
    rescale: bool = False

    @property
    def files(self) -> dict[str, tuple[str, str]]:
        """Side (source, target) -> key and file, of those that are given."""
        given = {"source": ("vectors", self.vectors), "target": ("target_vectors", self.target_vectors)}
        return {side: (f"model.embedding.{name}", file) for side, (name, file) in given.items() if file}

    def __post_init__(self) -> None:
        for name in ("frozen", "rescale"):
            if getattr(self, name) and not self.files:
                raise ValueError(f"{name}=true is for pretrained vectors. Give vectors=FILE, or {name}=false.")


@dataclass(kw_only=True)
class SweepOptions:
    resume: str | None = None


@dataclass(kw_only=True)
class TrainConfig:
    """configs/train.yaml and its groups, without the sections of `TRAIN_SECTIONS`."""

    model: Component
    attention: Component
    optimizer: Component
    scheduler: Component
    trainer: TrainerOptions
    decoding: DecodingOptions
    focus: FocusOptions
    distributed: DistributedOptions = field(default_factory=DistributedOptions)
    paths: Paths = field(default_factory=Paths)
    seed: Annotated[int, Range(ge=0, le=2**63 - 1)] = 1
    device: str = "auto"
    run_dir: str | None = None
    resume: str | None = None
    max_jobs: PositiveInt
    sweep: SweepOptions = field(default_factory=SweepOptions)
    trust: list[str] = field(default_factory=list)
    choices: Any = field(default_factory=dict)  # group -> name of its choice; noted by the command line, for names
    config_dir: str | None = None  # the user's own groups; noted by the command line
    experiment: Any = None  # a key of early runs, without effect


# The dataset's own options stand beside those of its source, the vectors beside the options of the model.
TRAIN_SECTIONS: dict[str, type] = {"": TrainConfig, "dataset": DatasetOptions, "model.embedding": EmbeddingOptions}


@dataclass(kw_only=True)
class DecodingOverride:
    """What evaluate and predict may change of a run's decoding; None keeps it."""

    beam_size: PositiveInt | None = None
    num_best: PositiveInt | None = None
    length_penalty: NonNegativeFloat | None = None
    length_penalty_form: LengthPenalty | None = None
    coverage_penalty: NonNegativeFloat | None = None
    min_length_ratio: NonNegativeFloat | None = None
    max_length_ratio: NonNegativeFloat | None = None
    max_length_constant: NonNegativeInt | None = None
    max_length: PositiveInt | None = None
    no_repeat_ngram_size: NonNegativeInt | None = None
    replace_unknown: bool | None = None
    sampling: bool | None = None
    temperature: PositiveFloat | None = None
    top_k: NonNegativeInt | None = None
    top_p: Nucleus | None = None
    seed: Seed | None = None


@dataclass(kw_only=True)
class DataPath:
    data: str | None = None


@dataclass(kw_only=True)
class OutputPath:
    outputs: str = "outputs"
