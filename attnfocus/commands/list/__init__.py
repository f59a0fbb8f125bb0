"""`attnfocus list`: which runs there are, and how each ended."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.list.command",
    config="attnfocus.commands.list.command.ListConfig",
    usage="[DIR ...] [key=value] ...",
    examples=("attnfocus list", "attnfocus list outputs/sweeps limit=null format=csv"),
    bare="folders",
)
