"""`attnfocus compare`: runs side by side."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.compare.command",
    config="attnfocus.commands.compare.command.CompareConfig",
    usage="DIR ... [key=value] ...",
    examples=(
        "attnfocus compare outputs/DATE/*",
        "attnfocus compare outputs/sweeps/DATE/TIME baseline=outputs/DATE/RUN format=markdown",
    ),
    bare="runs",
)
