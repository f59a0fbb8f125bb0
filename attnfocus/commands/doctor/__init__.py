"""`attnfocus doctor`: is this machine ready?"""

from attnfocus.commands.verb import Flag, Verb

VERB = Verb(
    command="attnfocus.commands.doctor.command",
    config="attnfocus.commands.doctor.command.DoctorConfig",
    examples=("attnfocus doctor", "attnfocus doctor --json device=cuda paths.outputs=/data/runs"),
    flags={"--json": Flag("format=json", "for programs; the same as format=json")},
)
