"""`attnfocus report`: a run on one page; `train` writes it at its end."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.report.command",
    config="attnfocus.commands.report.command.ReportConfig",
    examples=(
        "attnfocus report run=latest",
        "attnfocus report run=outputs/DATE/RUN output=for_a_friend.html",
    ),
    run_key="run",
)
