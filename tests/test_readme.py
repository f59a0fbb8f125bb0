"""Every command in the README files and in docs/ is run here, on small sizes where it would train for minutes."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_here import run_here
from command_server import Done, Running, Server
from tests_support import TINY_DATES, only_run

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
NEEDS_PEERS = ROOT / "docs" / "peers.md"  # other toolkits, each in an environment of its own: see tests/scripts
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *(page for page in DOCS if page != NEEDS_PEERS)]

# Commands that set up a machine: CI runs `make test` itself, tests/test_install.py the installation.
# What sets a machine up, and what needs a file that the page has one write (tests/seams has that one).
SETUP = re.compile(
    r"^(attnfocus train --config-dir groups |make |python3 -m venv|source |"
    r"\.venv/bin/python -m pip|\.venv/bin/attnfocus)"
)
# What a shell only splits at its spaces, and no set of the Hub, whose library is told by HF_HOME when it is loaded.
PLAIN = re.compile(r"attnfocus (?!.*(\bhub\b|distributed=))[^|<>&;$`*?~\\\n]*")
IN_TABLE = re.compile(r"^\| [^|`]+ \| `((?:attnfocus|tensorboard) [^`]+)` \|", re.MULTILINE)  # what I want to do
FEW_ROWS = ("dataset.num_train=200", "dataset.num_valid=20", "dataset.num_test=20")
ONE_EPOCH = ("trainer.max_epochs=1", "focus.num_samples=1")  # most of such a run's time is its pictures
SMALL = {
    "seq2seq": TINY_DATES,
    "transformer_seq2seq": tuple(override for override in TINY_DATES if "hidden_size" not in override),
    "transformer": (*FEW_ROWS, *ONE_EPOCH),
    "rnn_classifier": (*FEW_ROWS, *ONE_EPOCH),
    "pooling_classifier": ONE_EPOCH,
    "language_model": (*FEW_ROWS, *ONE_EPOCH),
    "rnn_language_model": (*FEW_ROWS, *ONE_EPOCH),
}
SMALL_SWEEP = ("trainer.max_steps=2", "focus.num_samples=0")  # of each job
SMALL_TEXT = ("model.embed_dim=16", "trainer.max_steps=2", "focus.num_samples=1")
NAMED_SETS = (
    "mnist|shakespeare|multi30k|tatoeba_cmn|cmudict|sst2|sst5|trec|mr|banking77|phrasebank|ag_news|thucnews|"
    "eraser_movies|"
    "video_games|fsdd"
)
NAMED = re.compile(rf"(dataset|experiment)=({NAMED_SETS})")
WITH_FILES = re.compile(rf"(dataset|experiment)=({NAMED_SETS}|eeg_confusion)")
SMALL_NAMED = (
    "dataset.clean.max_train_rows=100",
    "decoding.beam_size=1",
    "decoding.max_length=5",
    "model.embed_dim=16",
    *ONE_EPOCH,
)
SMALL_HISTORIES = ("dataset.tokenizer.vocab_size=200", "model.embed_dim=16", "trainer.max_steps=2")  # few items
SMALL_BENCH = ("lengths=[16,32]", "repeats=1")
SMALL_FILES = ("model.embed_dim=16", *ONE_EPOCH, "dataset.tokenizer.vocab_size=200")


def commands_of(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    lines += IN_TABLE.findall(page.read_text(encoding="utf-8")) if page.parent == ROOT else []
    return [line for line in lines if line and not line.startswith("#")]


def runnable(pages: list[Path]) -> list[str]:
    found = {command for page in pages if page.exists() for command in commands_of(page)}
    return sorted(command for command in found if not SETUP.match(command))


OF_README = runnable(PAGES[:2])
RUNNABLE = [
    *(pytest.param(command, marks=pytest.mark.slow) for command in OF_README),
    *(pytest.param(command, marks=pytest.mark.docs) for command in runnable(PAGES[2:]) if command not in OF_README),
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small run, and with files such as the examples name."""
    folder = tmp_path_factory.mktemp("readme")
    pairs = [f"a{i} b{i % 7}\tx{i} y{i % 7}" for i in range(300)]
    (folder / "pairs.tsv").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    for column, name in enumerate(("train.de", "train.en")):
        (folder / name).write_text("\n".join(pair.split("\t")[column] for pair in pairs) + "\n", encoding="utf-8")
    labelled = ["text,label", *[f"word{i % 13} of {i},{'good' if i % 2 else 'bad'}" for i in range(300)]]
    (folder / "reviews.csv").write_text("\n".join(labelled) + "\n", encoding="utf-8")
    taken = [f"u{i % 60},game{(i // 60 + i) % 30},2024-01-{i // 60 + 1:02}" for i in range(360)]
    (folder / "log.csv").write_text("\n".join(["user,item,date", *taken]) + "\n", encoding="utf-8")
    (folder / "vectors.txt").write_text("".join(f"word{i} {'0.5 ' * 15}{i}\n" for i in range(9)), encoding="utf-8")
    (folder / "input.txt").write_text("".join(f"The {i}th line.\n\n" for i in range(300)), encoding="utf-8")
    (folder / "lines.txt").write_text("May 3, 1999\n", encoding="utf-8")
    done = run_here(["train", *TINY_DATES], folder)
    assert done.returncode == 0, done.stderr
    return folder


def shell(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs a line as a shell would, with this Python's `attnfocus` and `tensorboard`."""
    bin_folder = Path(sys.executable).parent
    functions = f'attnfocus() {{ "{sys.executable}" -m attnfocus "$@"; }}\n'
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "HF_HOME": str(folder / "huggingface"),
    }
    return subprocess.run(
        ["bash", "-c", functions + command], cwd=folder, capture_output=True, text=True, timeout=300, env=environment
    )


def made_small(command: str) -> str:
    """The same command with sizes of seconds."""
    if "attnfocus bench" in command:
        return f"{command} {' '.join(SMALL_BENCH)}"
    if "attnfocus data dataset=dates" in command:
        return f"{command} {' '.join(FEW_ROWS)}"
    if "faithfulness=true" in command:
        return f"{command} faithfulness_examples=8"
    if "attnfocus train" not in command or "--help" in command or "--cfg" in command:
        command = re.sub(r"\bminus=\w+", "minus=4", command)  # a step that the small run has kept
        return command.replace("--logdir outputs", "--inspect --logdir outputs")
    if "resume=" in command:
        return f"{command} trainer.max_steps=8"
    command = re.sub(r"\bseed=1(,\d)+", "seed=1", command)
    if "dataset.train=" in command or "dataset=hub" in command:
        return f"{command} {' '.join(SMALL_FILES)}"
    if "=shakespeare" in command:
        return f"{command} {' '.join(SMALL_TEXT)}"
    if NAMED.search(command):
        few = SMALL_NAMED if "=video_games" not in command else SMALL_HISTORIES
        return f"{command} {' '.join(few)}"
    model = re.search(r"model=(\w+)", command)
    recipes = {"mqar": "language_model", "canvas": "transformer"}
    of_recipe = next((kind for name, kind in recipes.items() if f"experiment={name}" in command), "seq2seq")
    few = [*SMALL[model.group(1) if model else of_recipe], *(SMALL_SWEEP if " -m " in command else ())]
    few += ["hydra.sweeper.n_trials=1"] if re.search(r"\b(search|hydra/sweeper)=", command) else []
    few += ["hydra.launcher.n_jobs=1"] if "launcher=joblib" in command else []  # two at a time: test_commands_sweep
    return f"{command} {' '.join(few)}"


def done_of(line: str, folder: Path, request: pytest.FixtureRequest) -> "subprocess.CompletedProcess[str] | Done":
    """Runs a line in the cheapest way that does all that it does."""
    words = shlex.split(line)[1:]
    if PLAIN.fullmatch(line):
        return run_here(words, folder)
    if line.startswith("attnfocus train") and "distributed=" in line and sys.platform == "linux":
        streams = {"input": None, "stdout": None, "stderr": None}
        forked = {"fault": "ranks_forked", "env": {"FAULT_AT": "2"}}
        server: Server = request.getfixturevalue("server")
        return Running(server, words, folder, **streams, **forked).wait()
    return shell(line, folder)


@pytest.mark.parametrize("command", RUNNABLE)
def test_the_command_works(command: str, workplace: Path, request: pytest.FixtureRequest) -> None:
    if WITH_FILES.search(command) and not os.environ.get("ATTNFOCUS_DATA"):
        pytest.skip("a named data set: set ATTNFOCUS_DATA to the folder of the sets")
    missing = [name for name in ("wandb", "mlflow") if name in command and find_spec(name) is None]
    if missing:
        pytest.skip(f"needs an extra: pip install 'attnfocus[{missing[0]}]'")
    run = only_run_before_others(workplace)
    if "outputs/sweeps" in command and not (workplace / "outputs" / "sweeps").exists():
        done = run_here(["train", "-m", "seed=1,2", *TINY_DATES, *SMALL_SWEEP], workplace)
        assert done.returncode == 0, done.stderr
    line = made_small(command.replace("RUN_DIR", shlex.quote(str(run))))
    done = done_of(line, workplace, request)
    assert done.returncode == 0, done.stderr
    assert done.stdout or done.stderr or command.startswith("eval ")


def only_run_before_others(workplace: Path) -> Path:
    marker = workplace / "first_run.txt"
    if not marker.exists():
        marker.write_text(str(only_run(workplace)), encoding="utf-8")
    return Path(marker.read_text(encoding="utf-8"))


def test_pages_in_chinese_have_the_same_commands() -> None:
    english, chinese = (set(commands_of(ROOT / name)) for name in ("README.md", "README.zh.md"))
    assert chinese <= english
    assert {command for command in english if SETUP.match(command)} <= chinese
    translated = [page for page in DOCS if page.name.endswith(".zh.md")]
    assert translated
    for page in translated:
        assert commands_of(page) == commands_of(page.with_name(page.name.replace(".zh", "")))


def results_of(page: str) -> list[tuple[list[str], list[str]]]:
    """Of each row of the table of results its commands and its figures, sorted: sentences differ between languages."""
    text = (ROOT / page).read_text(encoding="utf-8")
    section = re.split(r"^## (?:Results|结果)$", text, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    words = [re.sub(r"`[^`]+`", "", row) for row in rows]
    figures = [sorted(re.findall(r"\d+(?:[.,]\d+)*", of_row)) for of_row in words]
    return [(re.findall(r"`[^`]+`", row), of_row) for row, of_row in zip(rows, figures, strict=True)]


def test_the_results_in_chinese_are_the_same() -> None:
    english, chinese = results_of("README.md"), results_of("README.zh.md")
    assert len(english) >= 20
    assert chinese == english


def test_the_readme_begins_with_a_picture_and_five_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("![") < 100
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks[1].splitlines()) == 5
    assert len(IN_TABLE.findall(text)) >= 20
    pages = re.findall(r"\]\((docs/\w+\.md)\)", text)
    assert all((ROOT / page).is_file() for page in pages)


@pytest.mark.slow
def test_the_first_commands_work_one_after_the_other(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What `make train` runs once all is installed, and the five that follow it, in their order, as they are pasted."""
    arguments = re.search(r"^ARGS \?= (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert arguments is not None
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert blocks[0].startswith("make train ")
    pasted = [line.split("  #")[0].strip() for line in blocks[1].splitlines()]
    for command in (f"attnfocus train {arguments[1]}", *pasted):
        done = done_of(made_small(command), tmp_path, request)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout or done.stderr, command
    assert len(list((tmp_path / "outputs").glob("*/*/config.yaml"))) == 2


def test_there_are_commands_to_run() -> None:
    assert len(RUNNABLE) >= 12
