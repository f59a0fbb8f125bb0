"""`attnfocus bench`: what attentions cost over the length."""

from attnfocus.commands.verb import Verb

VERB = Verb(
    command="attnfocus.commands.bench.command",
    config="attnfocus.commands.bench.command.BenchConfig",
    examples=(
        "attnfocus bench 'attentions=[multi_head,local,linformer]' 'lengths=[256,512,1024]'",
        "attnfocus bench 'attentions=[local, local attention.pattern.window=32]' with_mask=true",
        "attnfocus bench 'attentions=[multi_head,local,retention]' 'lengths=[512,1024,2048]' decode=true",
    ),
    needs_config_dir=True,
)
