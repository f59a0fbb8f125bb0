"""The longest input of a model is that of its shortest part."""

import torch

from attnfocus.models import PoolingClassifier, RNNClassifier, Seq2Seq, TransformerClassifier

IDS = {"vocab_size": 11, "num_classes": 3}


def test_a_model_reads_no_further_than_its_attention(make_attention):
    linformer = make_attention("linformer", "attention.max_length=20")
    learned = make_attention("learned", "attention.position.max_length=20")
    with torch.device("meta"):
        assert TransformerClassifier(attention=linformer, **IDS).max_input_length == 20
        assert TransformerClassifier(attention=learned, **IDS).max_input_length == 20
        assert TransformerClassifier(attention=linformer, pooling="cls", **IDS).max_input_length == 19
        short = TransformerClassifier(attention=linformer, position="learned", max_length=8, **IDS)
        assert short.max_input_length == 8
        assert RNNClassifier(attention=linformer, **IDS).max_input_length == 20
        assert PoolingClassifier(attention=linformer, **IDS).max_input_length == 20
        seq2seq = Seq2Seq(attention=linformer, source_vocab_size=9, target_vocab_size=9)
        assert seq2seq.max_input_length == 20
        assert (
            Seq2Seq(attention=make_attention("additive"), source_vocab_size=9, target_vocab_size=9).max_input_length
            is None
        )
