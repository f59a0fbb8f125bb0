"""`attnfocus evaluate`: the metrics of a run, again."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.evaluate.command",
    config="attnfocus.commands.evaluate.command.EvaluateConfig",
    examples=("attnfocus evaluate run=outputs/DATE/RUN split=test",),
    run_key="run",
)
