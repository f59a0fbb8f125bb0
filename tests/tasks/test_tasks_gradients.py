"""Every parameter takes part in every loss: what DDP takes for granted."""

import pytest
from presets_support import PRESETS, composed
from tasks_toys import LABELLED, PAIRS, batches, label_codec, pair_codec, rows

from attnfocus.config.overrides import CommandLine
from attnfocus.errors import ConfigError
from attnfocus.runs.assembly import check_train

MODELS = ("seq2seq", "transformer_seq2seq", "transformer", "rnn_classifier", "pooling_classifier")


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_each_parameter_gets_a_gradient_with_every_attention_that_applies(model: str) -> None:
    num_tried = 0
    line = [f"model={model}"]
    values = CommandLine("train", line).compose(line, resolve=True)
    for preset in PRESETS:
        try:
            setup = check_train({**values, "attention": composed(f"attention={preset}")})
        except ConfigError:
            continue  # does not apply
        is_pairs = setup.data_options.task == "translation"
        codec = pair_codec() if is_pairs else label_codec()
        network = setup.model(**codec.dims())
        batch = next(iter(batches(codec, rows(PAIRS if is_pairs else LABELLED), 4)))
        setup.task(codec).step(network, batch).total.backward()
        without = [name for name, each in network.named_parameters() if each.requires_grad and each.grad is None]
        assert not without, (preset, without)
        num_tried += 1
    assert num_tried > 10
