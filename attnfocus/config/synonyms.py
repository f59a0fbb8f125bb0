"""What the field calls choices and values that have another name here: data alone, as in `habits`."""

from collections.abc import Mapping


def by_word(lines: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Ours -> words, turned round: word -> ours, in the order of the lines."""
    found: dict[str, tuple[str, ...]] = {}
    for ours, words in lines.items():
        for word in words.split():
            found[word] = (*found.get(word, ()), ours)
    return found


# Name of the field -> names of choices and values here, whichever of them a key has.
SYNONYMS = by_word(
    {
        # attentions and their parts
        "additive": "bahdanau mlp concat tanh bahdanau_attention badhanau badanau",
        "general": "luong bilinear multiplicative luong_general",
        "dot": "luong luong_dot dot_product dotproduct",
        "scaled_dot": "flash sdpa flash_attention flash_attn flashattention self "
        "self_attention vaswani softmax scaled "
        "scaled_dot_product scaled_dot_product_attention standard vanilla full",
        "multi_head": "vaswani self self_attention mha multihead multi_head_attention "
        "flash multiheadattention flash_attn",
        "multi_query": "mqa",
        "grouped_query": "gqa",
        "rotary": "rope roformer yarn",
        "forgetting": "fox forgetting_transformer forget_gate forgetting_attention",
        "cope": "contextual contextual_position",
        "local": "window windowed sliding sliding_window luong_local",
        "longformer": "sliding_window global",
        "sink_window": "streaming streaming_llm attention_sinks sinks",
        "moba": "mixture_of_blocks block_topk nsa",
        "prefix": "prefix_lm prefixlm",
        "performer": "favor favor+",
        "linear": "linear_attention katharopoulos elu",
        "relative": "relative_position",
        "shaw": "relative relative_position",
        "t5": "relative_bias relative t5_bias",
        "transformer_xl": "xl transformerxl relative",
        "sinusoidal": "absolute sinusoid sincos sine fixed",
        "none": "null false off no nope constant_lr",
        "top_k": "topk k_nearest",
        "sparsemax": "sparse",
        "entmax15": "entmax_15 entmax1.5 alpha_entmax",
        "causal": "autoregressive masked decoder_only gpt",
        "coverage": "see pointer",
        "local_predictive": "local_p luong_local local-p",
        "sigmoid": "gate",
        # models
        "rnn_classifier": "lstm gru rnn bilstm classifier bigru lstm_classifier han textcnn cnn",
        "seq2seq": "lstm gru rnn encoder_decoder encoder-decoder s2s nmt rnn_seq2seq "
        "encdec lstm_seq2seq gnmt translator",
        "transformer": "bert encoder roberta distilbert transformer_classifier vit transformer_encoder gpt classifier",
        "transformer_seq2seq": "transformer t5 bart nmt marian encoder_decoder gpt translator",
        "pooling_classifier": "linear mlp bow pooling fasttext average",
        # data
        "labelled_text": "csv tsv table own custom text classification labeled_text labelled my jsonl json local",
        "parallel_text": "parallel translation pairs bitext own custom my csv tsv",
        "hub": "huggingface hf datasets",
        "hub_pairs": "huggingface hf opus",
        "mr": "imdb movies rotten_tomatoes sentiment",
        "sst2": "sst sentiment stanford imdb glue",
        "sst5": "sst",
        "ag_news": "agnews news",
        "multi30k": "flickr30k wmt wmt14 iwslt iwslt14 iwslt2014",
        "tatoeba_cmn": "tatoeba",
        "cmudict": "g2p phonemes",
        "identity": "toy dummy synthetic debug",
        "dates": "toy synthetic date",
        "languages": "lid language langid",
        "recall": "mqar associative_recall ar zoology multi_query_ar",
        "induction": "induction_heads",
        "copying": "copy",
        "selective_copying": "selective_copy",
        "needle": "niah needle_in_a_haystack haystack passkey ruler",
        "sorting": "sort",
        "listops": "lra long_range_arena list_ops",
        "eraser_movies": "eraser movies rationales",
        # optimizers and schedulers
        "adamw": "adam_w lamb lion adamax nadam muon",
        "adam": "radam",
        "constant": "none null fixed no off",
        "cosine": "cosine_annealing linear cos onecycle cosineannealinglr one_cycle cosine_with_restarts",
        "inverse_sqrt": "noam warmup invsqrt transformer",
        "plateau": "reduce_on_plateau reducelronplateau step exponential steplr",
        # other values
        "valid": "dev val validation eval",
        "train": "training",
        "test": "testing",
        "last": "latest final newest",
        "best": "top optimal",
        "auto": "gpu",
        "cuda": "gpu nvidia",
        "cpu": "none",
        "mps": "metal apple",
        "float32": "fp32 32 full 32-true single f32",
        "fp16": "16 float16 half 16-mixed amp",
        "bf16": "bfloat16 bf16-mixed mixed brain amp true",
        "float16": "fp16 half 16",
        "bfloat16": "bf16",
        "word": "words spacy moses nltk basic whitespace_tokenizer",
        "bpe": "wordpiece subword sentencepiece byte_pair gpt2 byte spm",
        "unigram": "sentencepiece spm sp",
        "character": "char chars characters letters",
        "macro_f1": "f1 f1_score f1_macro macro_f macrof1",
        "accuracy": "acc val_acc val_accuracy eval_accuracy",
        "loss": "val_loss valid_loss eval_loss cross_entropy nll",
        "bleu": "sacrebleu bleu4 val_bleu bleu_score",
        "chrf": "chrf++ chrfpp",
        "perplexity": "ppl",
        "macro_precision": "precision",
        "macro_recall": "recall",
        "exact_match": "em exact accuracy",
        "cross_entropy": "ce nll xent crossentropy cross_entropy_loss crossentropyloss bce",
        "mse": "mean_squared_error l2 mse_loss",
        "sentences": "examples samples rows sentence",
        "tokens": "token words",
        "lstm": "bilstm rnn",
        "gru": "bigru",
        "jsonl": "ndjson json json_lines",
        "json": "jsonl",
        "table": "text txt pretty",
        "markdown": "md latex html",
        "text": "txt plain",
        "ddp": "data_parallel dp multi_gpu",
        "fsdp": "zero deepspeed",
        "pre": "prenorm pre_norm",
        "post": "postnorm post_norm",
        "gradient_input": "gradient gradients saliency grad input_x_gradient inputxgradient",
        "attention": "weights attn",
        "wandb": "weights_and_biases weights-and-biases w&b",
        "mcc": "matthews",
        "ece": "calibration",
        "ter": "edit_rate",
    }
)
