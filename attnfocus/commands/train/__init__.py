"""`attnfocus train`: the recipe, and what only training needs."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.train.command",
    config="attnfocus.runs.schema.TrainConfig",
    check="attnfocus.runs.assembly.check_trusted",
    usage="[group=choice] [key=value] ...",
    examples=(
        "attnfocus train model=seq2seq attention=additive",
        "attnfocus train dataset=parallel_text dataset.train=my.tsv trainer.max_epochs=5",
        "attnfocus train -m model=seq2seq attention=additive,dot,general",
    ),
    sweeps=True,
    named_groups=("model", "attention", "dataset", "optimizer", "scheduler"),
    run_key="resume",
    idle_keys=("sweep.resume",),
    needs_config_dir=True,
)
