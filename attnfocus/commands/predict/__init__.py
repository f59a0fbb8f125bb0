"""`attnfocus predict`: one input in, one prediction out."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.predict.command",
    config="attnfocus.commands.predict.command.PredictConfig",
    examples=(
        "attnfocus predict run=outputs/DATE/RUN input=lines.txt",
        "attnfocus predict run=outputs/DATE/RUN input=table.csv output=answers.csv",
        "echo 'May 3, 1999' | attnfocus predict run=outputs/DATE/RUN format=jsonl",
    ),
    run_key="run",
)
