"""Every parameter takes part in every loss: what DDP takes for granted."""

from typing import Any

import pytest
from attention_kinds import PRESETS as KINDS
from presets_support import PRESETS, composed
from tasks_toys import LABELLED, PAIRS, batches, label_codec, pair_codec, rows

from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.runs.assembly import check_train

MODELS = ("seq2seq", "transformer_seq2seq", "transformer", "rnn_classifier", "pooling_classifier")


def setup_of(model: str, preset: str) -> Any:
    """What is trained, or None where the attention does not apply."""
    line = [f"model={model}"]
    values = CommandLine("train", line).compose(line, resolve=True)
    try:
        return check_train({**values, "attention": composed(f"attention={preset}")})
    except ConfigError:
        return None


def without_gradient(setup: Any) -> list[str]:
    """The parameters that a step leaves alone."""
    is_pairs = setup.data_options.task == "translation"
    codec = pair_codec() if is_pairs else label_codec()
    network = setup.model(**codec.dims())
    batch = next(iter(batches(codec, rows(PAIRS if is_pairs else LABELLED), 4)))
    setup.task(codec).step(network, batch).total.backward()
    return [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_each_parameter_gets_a_gradient_with_every_kind_of_attention_that_applies(model: str) -> None:
    found = {preset: without_gradient(setup) for preset in KINDS if (setup := setup_of(model, preset)) is not None}
    assert not any(found.values()), found
    assert len(found) > 3


@pytest.mark.slow
def test_each_parameter_gets_a_gradient_with_every_attention_in_the_first_model_that_takes_it() -> None:
    for preset in PRESETS:
        setup = next(setup for model in MODELS if (setup := setup_of(model, preset)) is not None)
        assert not without_gradient(setup), preset
