"""Loads a run from its directory: the configuration, the codec, the weights of a checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attnfocus.data.codecs.base import load_codec
from attnfocus.display.console import open_console, say
from attnfocus.layout import CHECKPOINTS, DATA_FOLDER
from attnfocus.runs.catalog import OUTPUTS, find_run
from attnfocus.runs.config import RunConfig
from attnfocus.runs.other_data import OtherData
from attnfocus.runs.run import Run
from attnfocus.runs.schema import DecodingOverride
from attnfocus.training import CheckpointStore, resolve_device
from attnfocus.training.checkpoints.average import mean_weights
from attnfocus.training.checkpoints.tensors import load_model_tensors


def load(
    run: str | Path,
    *,
    checkpoint: str = "best",
    device: str = "auto",
    decoding: DecodingOverride | None = None,
    data: str | None = None,
    dataset: Mapping[str, Any] | None = None,
    trust: Sequence[str] = (),
) -> Run:
    """Loads a run from its directory.

    Args:
        run: the run directory; or, below the folder `outputs`, `latest` or a part of the name of one run alone.
        checkpoint: `best`, `last`, `average` (the mean of the newest `trainer.keep_checkpoints`), or a step's folder
            such as `step-00001200`. Where a run that was stopped has no best one yet, its last one is taken, and said.
        device: `auto`, `cpu`, `cuda` or `mps`.
        decoding: what to change of the run's decoding.
        data: folder of the named data sets; None takes the run's.
        dataset: keys of its data set that are others now: `{"test": "new.csv"}` evaluates on other rows, with labels or
            references; `{"train": "moved.csv"}` says where a file is now. They are read when they are needed.
        trust: packages, besides our own, whose classes the run's configuration may name.

    Raises:
        ConfigError: `run` is no run directory, or the device is not there.
        CheckpointError: nothing whole has been saved, or less than two checkpoints to average.
    """
    path = Path(run).expanduser().resolve()
    if not path.exists():
        path = find_run("run", str(run), OUTPUTS).resolve()
    config = RunConfig.load("run", path, trust).changed(device=device)
    attention = config.values["attention"]
    if resolve_device(device).type != "cuda" and attention.get("path") == "flex":
        config = config.changed(attention={**attention, "path": "auto"})  # trained on a GPU, loaded where there is none
    if data is not None:
        config = config.changed(paths={**config.values.get("paths", {}), "data": data})
    if decoding is not None:
        changes = {name: value for name, value in vars(decoding).items() if value is not None}
        config = config.changed(decoding={**config.values["decoding"], **changes})
    other_data = OtherData(dataset or {})
    other_data.check(config)
    setup = config.setup
    codec = load_codec(path / DATA_FOLDER, setup.codecs.classes)
    keep, like = setup.config.trainer.keep_checkpoints, setup.saved_tensors(codec)
    store = CheckpointStore(path / CHECKPOINTS, keep=keep, like=like)
    if checkpoint == "best" and not store.has("best") and store.has("last"):
        checkpoint = "last"
        why = "it was stopped before its first evaluation, so that there is no best checkpoint yet"
        say(open_console(), f"{path.name}: {why}; the last one is used.", style="yellow")
    checkpoints = store.newest_few() if checkpoint == "average" else [store.load(checkpoint)]
    model = setup.new_model(codec).to(setup.device)
    if checkpoint == "average":
        load_model_tensors(model, mean_weights(checkpoints))
    else:
        checkpoints[0].load_model(model)
    step = checkpoints[0].step
    model.eval()
    return Run(path, config, model, codec, step, checkpoint, other_data)
