"""The arithmetic and the watching of scripts/bench_peers; the peers themselves are not installed here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """The modules of the script's folder can be imported, and are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "bench_peers"))
    yield
    for name in set(sys.modules) - before:
        if str(ROOT / "scripts") in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def corpus_of(folder: Path):
    from corpus import Corpus

    for split in ("train", "val", "test"):
        (folder / f"{split}.de").write_text("ein hund\nein a\n")
        (folder / f"{split}.en").write_text("a dog runs\na\n")
    return Corpus(folder)


def test_speed_is_that_of_the_window_after_the_warm_up():
    from child import Moment, Watched
    from measure import training_of

    moments = [Moment(10, 5, 5, 6), Moment(20, 10, 8, 12), Moment(40, 20, 16, 26)]
    watched = Watched(30, 20, 100, moments)
    training = training_of(watched, 20, 50)  # 20 updates of 50 words in 10 s, 8 of them on a CPU
    assert (training.words_per_second, training.words_per_cpu_second) == (100, 125)
    assert training.others_cores == pytest.approx(0.6)  # (26 - 12) - (16 - 8) in 10 s
    with pytest.raises(SystemExit, match="--updates"):
        training_of(watched, 40, 50)


@pytest.mark.parametrize("in_file", [False, True])
def test_progress_of_a_process_is_seen_from_outside(tmp_path, in_file):
    from child import Command, environment, watch

    progress = tmp_path / "progress"
    target = f"open({str(progress)!r}, 'a')" if in_file else "sys.stdout"
    code = f"import sys; [print('update 1,00%d' % i, file={target}, flush=True) for i in range(3)]"
    command = Command([sys.executable, "-c", code], r"update (\S+)", progress if in_file else None)
    watched = watch(command, environment(1, Path(sys.executable)), tmp_path / "log")
    assert [moment.update for moment in watched.moments] == [1000, 1001, 1002]
    assert 0 < watched.moments[-1].wall <= watched.wall
    assert watched.rss_mib > 1


def test_failed_command_names_its_log(tmp_path):
    from child import Command, environment, watch

    with pytest.raises(SystemExit, match=str(tmp_path / "log")):
        watch(Command([sys.executable, "-c", "1 / 0"]), environment(1, Path(sys.executable)), tmp_path / "log")


def test_process_ends_at_its_first_update_when_only_the_start_counts(tmp_path, monkeypatch):
    from child import Command, environment, watch

    def poll(self):
        raise AssertionError("the process is gone, and with it its CPU time")

    monkeypatch.setattr(subprocess.Popen, "poll", poll)
    command = Command([sys.executable, "-c", "import time; print('update 1', flush=True); time.sleep(60)"], r"e (\d)")
    watched = watch(command, environment(1, Path(sys.executable)), tmp_path / "log", stop_at_first=True)
    assert len(watched.moments) == 1
    assert watched.wall < 30


def test_fairseq_prepares_anew_in_each_round(tmp_path):
    from fairseq_cli import Fairseq
    from toolkit import Job

    written = tmp_path / "work" / "bin" / "dict.de.txt"
    written.parent.mkdir(parents=True)
    written.write_text("ein 3")
    job = Job(corpus_of(tmp_path), "rnn", tmp_path / "bin" / "python", tmp_path / "work", 100, 10)
    Fairseq().prepare(job, tmp_path / "many.de", tmp_path / "few.de")
    assert not written.exists()


def test_operations_of_a_word_counted_by_hand(tmp_path):
    from corpus import training_flops

    corpus = corpus_of(tmp_path)
    assert (corpus.vocabulary_size("de"), corpus.vocabulary_size("en")) == (5, 5)  # "ein", "a", and four special ones
    encoder = 2 * (4 * 128) * (256 + 128) + 256 * 256
    decoder = (4 * 256) * (256 + 256) + 256 * 256 + 512 * 256 + 256 * 5
    products = 4 * encoder + 6 * decoder + 2 * 256 * (2 * 4 + 2 * 2)  # sources of 2 and 2, targets of 4 and 2 with EOS
    assert training_flops(corpus, "rnn_default_order") == pytest.approx(3 * 2 * products / 8)


def test_ratios_are_above_one_where_ours_is_better():
    main = load_main()
    rounds = {
        "attnfocus": [{"words_per_second": 30.0, "cpu_seconds": 5.0, "beam1_bleu": 1.0}],
        "onmt": [{"words_per_second": 20.0, "cpu_seconds": 10.0, "beam1_bleu": 2.0}],
    }
    assert main.ratios(rounds, "onmt") == {"words_per_second": 1.5, "cpu_seconds": 2.0}


def load_main():
    import importlib.util

    spec = importlib.util.spec_from_file_location("bench_peers_main", ROOT / "scripts" / "bench_peers" / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("model", ["rnn", "rnn_default_order", "transformer"])
def test_peers_are_told_the_sizes_of_ours(tmp_path, model):
    from joey import Joey
    from opennmt import OpenNMT
    from ours import Attnfocus
    from toolkit import Job

    job = Job(corpus_of(tmp_path), model, Path(sys.executable), tmp_path, 906, 10)
    words = list(map(str, Attnfocus().train(job).words))
    OpenNMT().train(job)
    Joey().train(job)
    onmt = json.loads((tmp_path / "config.yaml").read_text())
    joey = json.loads((tmp_path / "train.yaml").read_text())
    width = onmt["hidden_size"]
    assert f"model.embed_dim={width}" in words
    assert joey["model"]["decoder"]["hidden_size"] == width
    assert f"model.dropout={onmt['dropout'][0]}" in words
    assert f"optimizer.lr={onmt['learning_rate']}" in words
    if model != "transformer":
        feeding = model == "rnn"
        assert onmt["input_feed"] == int(feeding)
        assert joey["model"]["decoder"]["input_feeding"] is feeding
        assert f"model.input_feeding={str(feeding).lower()}" in words
    else:
        assert f"model.num_heads={onmt['heads']}" in words
        assert f"model.feedforward_dim={joey['model']['decoder']['ff_size']}" in words


def test_our_own_command_is_accepted(tmp_path):
    from ours import Attnfocus
    from toolkit import Job

    from attnfocus.config.overrides import CommandLine
    from attnfocus.runs.assembly import check_train

    job = Job(corpus_of(tmp_path), "rnn", Path(sys.executable), tmp_path, 906, 10)
    chosen = [str(word) for word in Attnfocus().train(job).words[4:]]
    line = CommandLine("train", chosen, None)
    line.check()
    trainer = check_train(line.compose(chosen, resolve=True)).config.trainer
    assert (trainer.max_steps, trainer.batch_size, trainer.evaluate_every_steps) == (906, 64, 906)


@pytest.mark.slow
def test_copies_of_test_are_decoded_and_one_is_scored(tmp_path):
    import measure
    from child import Command
    from toolkit import Job, Toolkit

    class Echo(Toolkit):
        name = "echo"

        def train(self, job):
            raise NotImplementedError

        def decode(self, job, beam, source, output):
            code = (
                "import sys, time; text = open(sys.argv[1]).read(); time.sleep(0.02 * len(text)); print(text, end='')"
            )
            return Command([sys.executable, "-c", code, source.with_suffix(".en")], stdout=output)

    (tmp_path / "data").mkdir()
    job = Job(corpus_of(tmp_path / "data"), "rnn", Path(sys.executable), tmp_path / "work", 1, 1)
    bench = measure.Bench(Echo(), job, warm=0, threads=1, num_few=1)
    assert bench.many.with_suffix(".en").read_text() == "a dog runs\na\n" * measure.NUM_COPIES
    decoded = bench.decode()["beam5"]
    assert decoded["output_words"] == 2  # (3 + 1) / 2
    assert (tmp_path / "work" / "beam5").read_text() == "a dog runs\na\n"
    assert 0 < decoded["sentences_per_second"] < 8 / (0.02 * (4 * 13 - 11))
