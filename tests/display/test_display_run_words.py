"""Raw names of a run as people read them."""

import pytest

from attnfocus.display.run_words import attention_words


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("decoder.layers.0.cross", "decoder layer 0 cross"),
        ("layers.3 (sink_window)", "layer 3 (sink_window)"),
        ("layers.3 (local(pattern.window=4))", "layer 3 (local(pattern.window=4))"),
    ],
)
def test_what_was_typed_stays_as_it_is_in_the_name_of_a_layer(label, words):
    assert attention_words(label) == words
