"""What runs are compared by first: what matters in every run, and what is not the default."""

from attnfocus.commands.train.main_options import flat_options, main_options
from attnfocus.config.overrides import CommandLine
from attnfocus.runs.config import RunConfig


def options_of(*typed: str) -> frozenset[str]:
    setup = RunConfig(CommandLine("train", ()).compose(list(typed))).setup
    assert main_options(setup) <= set(flat_options(setup))
    return main_options(setup)


def test_what_matters_in_every_run_is_there_and_a_handful_besides():
    shown = options_of("model=transformer", "dataset=languages")
    wanted = {"optimizer.lr", "model.dropout", "trainer.batch_size", "seed", "model.num_layers"}
    assert wanted <= shown
    assert len(shown) <= 25


def test_what_is_changed_is_there_and_what_only_the_logs_know_is_not():
    usual = options_of()
    changed = options_of("trainer.spike_score=5", "trainer.log_every_steps=3", "trainer.scalars=all")
    assert changed - usual == {"trainer.spike_score"}
