"""A training run of two seconds, with everything that a long one needs: data, model, steps, a checkpoint read back."""

import tempfile
import time
from pathlib import Path
from typing import cast

import torch

from attnfocus.commands.doctor.checks import Finding, existing_part
from attnfocus.config.overrides import CommandLine
from attnfocus.config.presets import outside_of_hydra
from attnfocus.data.epochs import Epochs
from attnfocus.models.base import Model
from attnfocus.runs.assembly import check_train
from attnfocus.runs.evaluation import validate
from attnfocus.runs.run import plan_of, prepare_data
from attnfocus.training import CheckpointStore, fit, monitored, seed_everything

NUM_STEPS = 3
SLOW_SECONDS = 20.0
OPTIONS = (
    "model=seq2seq",
    "attention=additive",
    "dataset=dates",
    "dataset.languages=[en]",
    "dataset.num_train=64",
    "dataset.num_valid=8",
    "dataset.num_test=8",
    "model.embed_dim=16",
    "model.hidden_size=16",
    "trainer.batch_size=16",
    f"trainer.max_steps={NUM_STEPS}",
    "trainer.max_epochs=null",
)


def self_test(device: str, outputs: Path) -> Finding:
    """Trains a few steps on `device`, saves beside the runs, and compares what comes back bit for bit."""
    began = time.perf_counter()
    with outside_of_hydra():
        values = CommandLine("train", ()).compose([*OPTIONS, f"device={device}"], resolve=True)
    setup = check_train(values)
    seed_everything(setup.config.seed)
    prepared = prepare_data(setup)
    trainer, task = setup.config.trainer, setup.task(prepared.codec)
    model = setup.model(**prepared.codec.dims()).to(setup.device)
    epochs = Epochs(prepared.splits["train"], plan_of(setup, prepared, "train"))
    with tempfile.TemporaryDirectory(dir=existing_part(outputs), prefix=".attnfocus-doctor-") as folder:
        store = CheckpointStore(Path(folder) / "checkpoints")
        result = fit(
            model,
            task,
            optimizer=setup.optimizer(model.parameters()),
            scheduler=setup.scheduler(NUM_STEPS, monitored(trainer, task)[1]),
            batches=epochs,
            evaluate=lambda trained: validate(setup, task, cast(Model, trained), prepared),
            options=trainer,
            store=store,
            device=setup.device,
            seed=setup.config.seed,
        )
        again = setup.model(**prepared.codec.dims()).to(setup.device)
        store.load("last").load_model(again)
    saved = again.state_dict()
    differing = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, saved[name])]
    seconds = round(time.perf_counter() - began, 1)
    facts = {"seconds": seconds, "device": str(setup.device), "steps": result.step}
    if result.step != NUM_STEPS or differing:
        came_back = f"{', '.join(differing[:3])} came back different" if differing else f"it ended: {result.reason}"
        advice = "The memory or the disk does not keep what is written: do not train here."
        return Finding("self-test", "failed", f"{NUM_STEPS} steps on {setup.device}: {came_back}", advice, facts)
    detail = f"{NUM_STEPS} steps on {setup.device}, saved and read back bit for bit, in {seconds} s"
    if seconds > SLOW_SECONDS:
        return Finding("self-test", "warning", detail, "That is slow: look at threads, disk and other programs.", facts)
    return Finding("self-test", "ok", detail, facts=facts)
