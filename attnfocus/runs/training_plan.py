"""Which examples make the batches of training."""

from functools import partial

from attnfocus.data.codecs.sequence import SequenceCodec
from attnfocus.data.epochs import Plan
from attnfocus.data.packed_plan import PackedPlan
from attnfocus.data.preparation import Prepared
from attnfocus.errors import ConfigError, Problem
from attnfocus.runs.assembly import Setup
from attnfocus.runs.evaluation import plan_of


def training_plan_of(setup: Setup, prepared: Prepared) -> Plan:
    """Of train, as `trainer.packing` says.

    Raises:
        ConfigError: there are no documents to pack.
    """
    trainer, codec, examples = setup.config.trainer, prepared.codec, prepared.splits["train"]
    if not trainer.packing:
        return plan_of(setup, prepared, "train")
    if examples.alike is not None:
        text = (
            "trainer.packing: lays several documents in a row, and train is one document, whose windows fill their "
            "rows. Use trainer.packing=false, or dataset.documents=lines or paragraphs."
        )
        raise ConfigError(Problem(text, "trainer.packing", ["trainer.packing=false"]))
    reach = codec.reach if isinstance(codec, SequenceCodec) else None
    width = int(examples.lengths[:, 0].max()) if reach is None else reach
    num_rows = trainer.batch_size if trainer.batch_unit == "sentences" else max(1, trainer.batch_size // width)
    return PackedPlan(partial(examples.drawn_lengths, setup.config.seed), width, num_rows, setup.config.seed)
