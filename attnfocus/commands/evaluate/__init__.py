"""`attnfocus evaluate`: the metrics of a run, again, or on other data."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.evaluate.command",
    config="attnfocus.commands.evaluate.command.EvaluateConfig",
    examples=(
        "attnfocus evaluate run=outputs/DATE/RUN split=test",
        "attnfocus evaluate run=outputs/DATE/RUN dataset.test=new.csv",
    ),
    run_key="run",
)
