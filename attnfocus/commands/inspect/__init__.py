"""`attnfocus inspect`: where a run looks, on the screen, as a page, as figures, as JSON."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.inspect.command",
    config="attnfocus.commands.inspect.command.InspectConfig",
    examples=(
        "attnfocus inspect run=outputs/DATE/RUN text='Freitag, 3. Mai 1999'",
        "attnfocus inspect run=outputs/DATE/RUN split=valid num_examples=8 'method=[attention,integrated_gradients]'",
    ),
    run_key="run",
)
