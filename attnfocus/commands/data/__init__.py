"""`attnfocus data`: what a data set holds, before anything is trained."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.data.command",
    config="attnfocus.commands.data.command.DataConfig",
    check="attnfocus.commands.data.command.check_data",
    usage="dataset=NAME [group=choice] [key=value] ...",
    examples=(
        "attnfocus data dataset=dates",
        "attnfocus data dataset=labelled_text dataset.train=my.csv dataset.text_column=text dataset.label_column=label",
    ),
    named_groups=("model", "attention", "dataset", "optimizer", "scheduler"),
    idle_keys=("resume", "report", "max_jobs", "sweep.resume"),
    needs_config_dir=True,
)
