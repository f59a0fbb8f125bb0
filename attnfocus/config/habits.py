"""What other tools and papers call things, and what they are called here: data, in which a mistyped name is looked up.

Nothing of it is ever accepted: the answer to a habit is an error with the line to type. A new habit is one more word in
a line below.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from attnfocus.config.synonyms import by_word

# Verb -> what is typed for it.
VERBS = by_word(
    {
        "train": "fit run start learn training finetune fine-tune fine_tune",
        "evaluate": "eval test validate score evaluation metrics",
        "predict": "infer inference generate translate decode classify prediction sample",
        "inspect": "show view visualize visualise plot explain attention attend heatmap look",
        "compare": "diff comparison significance",
        "list": "ls runs jobs history status",
        "bench": "benchmark profile speed",
        "doctor": "check env environment info diagnose selftest self-test",
    }
)
# What is no verb here, and the command line for it; `{}` is the rest of what was typed.
PHRASES: Mapping[str, str] = {
    "sweep": "train -m {}",
    "multirun": "train -m {}",
    "grid": "train -m {}",
    "search": "train -m search=seq2seq {}",
    "tune": "train -m search=seq2seq {}",
    "optuna": "train -m search=seq2seq {}",
    "config": "train --cfg job {}",
    "print_config": "train --cfg job {}",
    "completion": "-sc install=bash",
    "resume": "train resume={}",
    "continue": "train resume={}",
    "version": "--version",
    "-v": "--version",
    "-version": "--version",
    "--v": "--version",
}
# What such a command line does.
PHRASE_REMARKS: Mapping[str, str] = {
    "train -m search=": "A search tries values and keeps the best",
    "train -m": "With -m a list of values is a sweep: each value is one run",
    "--cfg job": "--cfg job shows the configuration and trains nothing",
    "train resume=": "resume= goes on with a run",
}

# Key -> what is typed for it, as a key or as its last part. Of several keys with the same word the first that there is.
KEYS = by_word(
    {
        "model": "arch architecture network net model_name model_type model_class",
        "attention": "attn attention_type attn_type attention_mechanism att",
        "dataset": "data_set dataset_name corpus task_name",
        "optimizer": "optim opt optimiser optimizer_name",
        "scheduler": "lr_scheduler schedule lr_schedule sched lr_scheduler_type",
        "optimizer.lr": "lr learning_rate learningrate eta base_lr max_lr peak_lr "
        "init_lr learn_rate learning-rate rate",
        "optimizer.weight_decay": "weight_decay wd l2 l2_reg",
        "optimizer.momentum": "momentum",
        "optimizer.beta1": "beta1 betas",
        "scheduler.warmup_steps": "warmup warmup_steps num_warmup_steps warmup_updates",
        "trainer.max_epochs": "e epochs epoch num_epochs n_epochs num_train_epochs max_epoch max_epochs nb_epochs",
        "trainer.max_steps": "steps max_iters iterations num_steps train_steps max_update total_steps max_step n_steps",
        "trainer.max_minutes": "max_time time_limit minutes timeout",
        "batch_size": "batch_size batch bs",
        "trainer.batch_size": "b batch_size batch bs batchsize "
        "train_batch_size per_device_train_batch_size mini_batch_size",
        "dataset.codec.context": "mem_len memory_len mem_length memory_length",
        "trainer.packing": "packing pack packed sample_packing pack_sequences use_packing packed_dataset",
        "trainer.accumulate_steps": "accumulate accumulation gradient_accumulation_steps "
        "grad_accum accumulate_grad_batches "
        "gradient_accumulation update_freq",
        "trainer.clip_norm": "clip clip_grad grad_clip gradient_clip_val "
        "max_grad_norm gradient_clipping clip_grad_norm "
        "grad_norm clip_gradient",
        "trainer.patience": "early_stopping early_stop earlystopping early_stopping_patience stop_patience patience",
        "trainer.monitor": "metric metric_for_best_model best_metric eval_metric early_stopping_metric monitor",
        "trainer.loss": "criterion loss_fn loss_function objective loss",
        "trainer.precision": "amp fp16 bf16 mixed_precision half use_amp autocast dtype precision",
        "trainer.num_workers": "workers num_workers n_workers dataloader_num_workers",
        "trainer.evaluate_every_steps": "eval_every eval_steps val_check_interval validate_every eval_interval "
        "validation_interval evaluate_every valid_every eval_freq",
        "trainer.log_every_steps": "log_every logging_steps log_interval log_steps print_every report_every log_freq",
        "trainer.save_every_steps": "save_every save_steps checkpoint_every save_interval save_freq",
        "trainer.keep_checkpoints": "save_total_limit keep_last max_checkpoints save_top_k keep",
        "trainer.ema_decay": "ema ema_decay ema_alpha",
        "trainer.label_smoothing": "smoothing label_smoothing_factor",
        "trainer.compile": "torch_compile compile",
        "device": "device accelerator gpu_id",
        "seed": "random_seed manual_seed rng_seed random_state",
        "run_dir": "output_dir out_dir save_dir log_dir logdir dirpath work_dir save_path out output output_path",
        "paths.outputs": "outputs outputs_dir output_folder results_dir runs_dir",
        "paths.data": "data_dir data_root data_folder datadir root",
        "run": "run_dir run_path ckpt ckpt_path checkpoint_path model_path model_dir load path dir folder resume",
        "resume": "resume_from resume_from_checkpoint continue restore load ckpt "
        "ckpt_path checkpoint checkpoint_path "
        "run pretrained from_checkpoint init_from",
        "model.hidden_size": "hidden hidden_dim hidden_size d_hidden rnn_size hid_dim "
        "n_hidden hidden_units nhid d_model",
        "model.embed_dim": "embedding_dim emb_dim embedding_size emb_size embed_size d_embed dim width embed d_model "
        "hidden_size hidden_dim",
        "model.num_layers": "layers n_layers num_layers depth nlayers n_layer num_encoder_layers enc_layers",
        "model.num_heads": "heads num_heads n_heads nhead n_head num_attention_heads nheads",
        "attention.num_heads": "heads num_heads n_heads nhead n_head num_attention_heads nheads",
        "model.feedforward_dim": "ffn_dim d_ff dim_feedforward ffn ff_dim intermediate_size",
        "model.dropout": "dropout drop dropout_rate drop_rate p_dropout dropout_p",
        "model.bidirectional": "bidirectional bi bidir",
        "model.embedding.vectors": "glove fasttext word2vec embeddings pretrained_embeddings "
        "vectors embedding_file w2v",
        "dataset.train": "train_file train_path train_data data train_data_path training_data "
        "data_path data_file file csv "
        "data_files train_csv input",
        "dataset.valid": "valid_file val_file dev_file dev val validation_file "
        "valid_path val_data validation_data dev_path",
        "dataset.test": "test_file test_path test_data test_data_path data data_path data_file file csv data_files "
        "input input_file infile filename",
        "encoding": "charset enc codec file_encoding input_encoding",
        "dataset.encoding": "encoding charset enc codec file_encoding input_encoding",
        "dataset.separator": "separator sep delimiter delim field_separator",
        "dataset.quotes": "quotes quoted quoting",
        "dataset.header": "header has_header header_row",
        "dataset.on_bad_row": "on_bad_row on_bad_lines bad_lines bad_rows",
        "input_format": "file_format",
        "dataset.format": "input_format file_format",
        "dataset.text_column": "text_column text_col text_field text_key sentence_column input_column",
        "dataset.label_column": "label_column label_col label_field label_key target_col class_column labels label",
        "dataset.source_column": "source_column src_column src_col source_col source_lang src_lang src",
        "dataset.target_column": "target_column tgt_column tgt_col target_lang tgt_lang tgt",
        "dataset.clean.max_words": "max_len max_length max_words maxlen max_seq_len "
        "max_seq_length seq_len sequence_length",
        "dataset.clean.max_train_rows": "max_train_samples max_train_rows limit_train_batches subset "
        "num_samples max_samples "
        "limit_train",
        "dataset.valid_split": "valid_split",
        "dataset.test_split": "test_split",
        "dataset.split.valid": "val_split valid_split validation_split val_size val_ratio dev_split",
        "dataset.split.test": "test_split test_size test_ratio",
        "dataset.split.folds": "folds k_folds kfold n_splits num_folds cv",
        "dataset.tokenizer.kind": "tokenizer tokenization tokenizer_type tokenizer_name tok",
        "dataset.tokenizer.vocab_size": "vocab_size vocab vocabulary_size max_vocab n_vocab",
        "dataset.tokenizer.lowercase": "lower lowercase do_lower_case uncased",
        "dataset.tokenizer.min_frequency": "min_freq min_count min_frequency",
        "decoding.beam_size": "beam beams num_beams beam_width beamsize k_beams beam_search",
        "decoding.num_best": "n_best nbest num_return_sequences",
        "decoding.length_penalty": "lenpen length_penalty alpha lp",
        "decoding.max_length": "max_length max_len max_new_tokens max_output_length max_decode_len",
        "decoding.sampling": "do_sample sample sampling",
        "decoding.temperature": "temperature temp",
        "input": "input_file input_path source src file data infile in filename dataset",
        "text": "texts sentence string query example prompt",
        "split": "subset on set data_split partition",
        "format": "output_format fmt json type output",
        "checkpoint": "ckpt which weights step",
        "method": "methods explainer attribution",
        "corrupted": "corrupt counterfactual foil patch patched",
        "heads": "head_kinds head_names ablation ablate",
        "limit": "n num max last head top count num_runs",
        "num_examples": "n num examples limit max_examples num_samples",
        "baseline": "base reference against",
        "runs": "run dirs folders",
        "attentions": "attention attn models",
        "lengths": "length seq_len sequence_length sizes",
    }
)

# What looks like a file of data.
DATA_FILE = re.compile(r".+\.(csv|tsv|txt|jsonl|ndjson|json|parquet|xlsx)(\.gz)?", re.IGNORECASE)

# Keys that come after others with the same word where nothing is trained: a file is there to be read or tested on.
LAST_OF_RUN = ("dataset.test", "dataset.train")

RUN_NAMES = "name run_name exp_name experiment_name experiment_id"
YES, NO, ANY = "yes", "no", "any"  # of a value
_YES, _NO = ("true", "yes", "on", "1", ""), ("false", "no", "off", "0", "none", "null")

# What is typed -> kind of value, or the value itself -> the overrides in its place; `{}` is the value.
SWITCHES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    word: by_kind
    for words, by_kind in (
        (
            "gpu cuda gpu_ids",
            {"0": ("device=cuda:0",), YES: ("device=cuda",), NO: ("device=cpu",), ANY: ("device=cuda:{}",)},
        ),
        ("use_gpu use_cuda", {YES: ("device=cuda",), NO: ("device=cpu",), ANY: ("device=cuda",)}),
        ("cpu use_cpu no_cuda no_gpu", {YES: ("device=cpu",), NO: ("device=auto",)}),
        (
            "gpus num_gpus n_gpus n_gpu devices nproc_per_node num_processes world_size",
            {
                YES: ("device=cuda",),
                NO: ("device=cpu",),
                ANY: ("distributed=ddp", "distributed.num_processes={}"),
            },
        ),
        ("ddp distributed_data_parallel multi_gpu", {YES: ("distributed=ddp",), NO: ("distributed=none",)}),
        ("fsdp deepspeed", {YES: ("distributed=fsdp",), NO: ("distributed=none",)}),
        (RUN_NAMES, {ANY: ("run_dir=outputs/{}",)}),
        ("wandb use_wandb", {YES: ("tracker=wandb",), NO: (), ANY: ("tracker=wandb",)}),
        ("mlflow use_mlflow", {YES: ("tracker=mlflow",), NO: (), ANY: ("tracker=mlflow",)}),
        ("logger report_to log_with", {ANY: ("tracker={}",), NO: ()}),
        ("tensorboard use_tensorboard tb save_best save_best_only", {YES: (), NO: (), ANY: ()}),
        ("shuffle verbose verbosity quiet progress_bar", {YES: (), NO: (), ANY: ()}),
        (
            "amp bf16 mixed_precision use_amp autocast",
            {YES: ("trainer.precision=bf16",), NO: ("trainer.precision=float32",)},
        ),
        ("fp16 half", {YES: ("trainer.precision=fp16",), NO: ("trainer.precision=float32",)}),
        (
            "early_stopping early_stop earlystopping",
            {YES: ("trainer.patience=5",), NO: ("trainer.patience=null",)},
        ),
        ("beam_search", {YES: ("decoding.beam_size=5",), NO: ("decoding.beam_size=1",)}),
        ("greedy", {YES: ("decoding.beam_size=1",), NO: ("decoding.beam_size=5",)}),
        ("debug", {YES: ("--debug",), NO: ()}),
        ("sweep multirun", {YES: ("-m",), NO: ()}),
        ("config_dir config_path conf_dir", {ANY: ("--config-dir={}",)}),
        ("json", {YES: ("format=json",)}),
        ("csv", {YES: ("format=csv",)}),
    )
    for word in words.split()
}
# The same for keys that there are and that take a text.
SWITCHED: Mapping[str, Mapping[str, str]] = {
    "resume": {YES: "latest", NO: "null"},
    "run": {YES: "latest"},
    "input": {YES: "-"},
    "device": {YES: "auto", NO: "cpu"},
    "trainer.monitor": {NO: "null"},
}
# Key -> what it takes, where the value is no text.
NEEDED: Mapping[str, str] = {
    "resume": "names the run to go on with, for example resume=latest; to start a new run, leave resume out",
    "input": "takes a file, several ([a.csv,b.csv]), a folder of tables, a pattern (a-*.csv), or - for standard input",
}
# Why some of these need nothing in their place.
REMARKS: Mapping[str, str] = {
    **dict.fromkeys(("use_tensorboard", "tb"), "TensorBoard's files are always written"),
    **dict.fromkeys(("save_best", "save_best_only"), "the best checkpoint is always kept"),
    "shuffle": "training rows are always shuffled, by the seed",
    **dict.fromkeys(("verbose", "verbosity", "quiet", "progress_bar"), "there is no such option"),
    **dict.fromkeys(RUN_NAMES.split(), "a run is named by its folder, run_dir"),
    **dict.fromkeys(
        ("gpu", "cuda", "use_gpu", "use_cuda"),
        "device= says where to compute: cuda:0 is the first NVIDIA GPU; auto, the default, takes a GPU if there is one",
    ),
    "tensorboard": "TensorBoard's files are always written",
    **dict.fromkeys(
        ("early_stopping", "early_stop", "earlystopping"),
        "trainer.patience stops the run after so many evaluations without a better one; 5 is an example",
    ),
    **dict.fromkeys(
        ("config", "config_file", "cfg", "yaml", "conf", "recipe"),
        "A recipe of your own is a file DIR/experiment/NAME.yaml, chosen by --config-dir DIR experiment=NAME",
    ),
}

# What should be known of a key before it is taken for what was meant.
KEY_NOTES: Mapping[str, str] = {
    "dataset.clean.max_words": "It leaves out training rows that have more words; nothing is cut. How long outputs may "
    "be is decoding.max_length",
    "run_dir": "It is the folder of this one run. The folder of all runs is paths.outputs",
    "trainer.patience": "It counts evaluations: the run stops after so many without a better one",
}


class Zero(NamedTuple):
    """What a zero means that is given to a limit: what is said of it, and the value to type, if that is known."""

    note: str
    meant: tuple[str, ...] = ()


_NO_TRAINING = "To score a run without training: attnfocus evaluate run=latest"
# Key -> of a zero as its value.
ZEROS: Mapping[str, Zero] = {
    "trainer.max_steps": Zero(
        f"For no limit of steps write null: trainer.max_epochs then ends the run. {_NO_TRAINING}", ("null",)
    ),
    "trainer.max_epochs": Zero(
        f"For no limit of epochs write trainer.max_epochs=null trainer.max_steps=1000. {_NO_TRAINING}"
    ),
}
# A value of a key whose default is none.
EXAMPLES: Mapping[str, str] = {
    "trainer.max_steps": "1000",
    "trainer.max_minutes": "30",
    "trainer.patience": "5",
    "trainer.clip_norm": "1.0",
    "run_dir": "outputs/mine",
    "resume": "latest",
    "run": "latest",
}


def kind_of(value: str) -> str:
    """Whether a value says yes, no, or something else."""
    plain = value.strip("'\"").lower()
    return YES if plain in _YES else NO if plain in _NO else ANY


def instead_of(word: str, value: str) -> tuple[str, ...] | None:
    """The overrides in the place of a switch; None for what is none."""
    switch = SWITCHES.get(word)
    if switch is None:
        return None
    texts = switch.get(value, switch.get(kind_of(value), switch.get(ANY)))
    return None if texts is None else tuple(text.replace("{}", value) for text in texts)
