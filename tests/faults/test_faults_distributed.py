"""One run in several processes: the same curve, one run directory, one cause when a process goes (faults 35 and 36)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from command_server import Done, Running
from safetensors.torch import load_file
from tests_support import TINY_DATES, assert_polite, summary_of
from torch.distributed import TCPStore

from attnfocus.training import open_checkpoint

pytestmark = pytest.mark.slow

Job = Callable[..., list[Running]]
SAME = ("model.dropout=0", "trainer.log_every_steps=5", "device=cpu")
TWO = ("distributed=ddp", "distributed.num_processes=2")
ENDLESS = (*TINY_DATES, "trainer.max_steps=100000", "trainer.save_every_steps=5", "trainer.evaluate_every_steps=50000")


@pytest.fixture
def job(start: Callable[..., Running], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Starts `attnfocus train ARGUMENTS` as torchrun would, in `size` processes; here, as there, lies the store."""
    stores = []

    def begin(size: int, *arguments: str, delay: float = 0.0, fault: dict[int, str] | None = None, **more: str) -> Any:
        stores.append(store := agent_store())
        found = []
        for rank in range(size):
            time.sleep(delay if rank else 0)
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
            env = {**own, **reached(store), "TORCHELASTIC_RUN_ID": "test", **more}
            found.append(start("train", *arguments, fault=(fault or {}).get(rank), **env))
        return found

    return begin


def agent_store() -> TCPStore:
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def reached(store: TCPStore) -> dict[str, str]:
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}


def ended(running: list[Running]) -> list[Done]:
    return [each.wait() for each in running]


def finished(running: list[Running]) -> None:
    for done in ended(running):
        assert done.returncode == 0, done.stderr


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["split"] == "train"]


def assert_same_weights(run: Path, other: Path) -> None:
    first, second = (
        load_file(each / "checkpoints" / (each / "checkpoints" / "last").read_text().strip() / "model.safetensors")
        for each in (run, other)
    )
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("sizes", "options"),
    [
        pytest.param((2,), ("trainer.max_steps=12", "trainer.accumulate_steps=2", "trainer.batch_size=15"), id="few"),
        pytest.param(
            (4,),
            ("trainer.max_steps=12", "trainer.accumulate_steps=2", "trainer.batch_size=15", "focus.num_samples=2"),
            id="sentences",
        ),
        pytest.param(  # batches of fewer examples than processes, too
            (4,),
            ("trainer.max_steps=12", "trainer.batch_unit=tokens", "trainer.batch_size=40", "trainer.ema_decay=0.9"),
            id="tokens",
        ),
    ],
)
def test_many_processes_learn_what_one_does(
    job: Job, tmp_path: Path, sizes: tuple[int, ...], options: tuple[str, ...]
) -> None:
    jobs = [job(size, *TINY_DATES, *SAME, *options, f"run_dir=of{size}") for size in (1, *sizes)]
    for running in jobs:
        finished(running)
    one = summary_of(tmp_path / "of1")
    for size in sizes:
        run = tmp_path / f"of{size}"
        assert losses(run) == pytest.approx(losses(tmp_path / "of1"), rel=1e-4)
        assert_same_weights(run, tmp_path / "of1")
        summary = summary_of(run)
        assert summary["steps"] == one["steps"]
        assert summary["test"]["loss"] == pytest.approx(one["test"]["loss"], rel=1e-4)
        answers = [json.loads(line)["id"] for line in (run / "predictions-test.jsonl").read_text().splitlines()]
        assert sorted(answers) == sorted(f"test-{number}" for number in range(20))


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            ("model=transformer_seq2seq", "model.num_heads=2", "model.num_encoder_layers=1"), id="transformer"
        ),
        pytest.param(("model.order=attend_then_recur", "optimizer=adagrad"), id="steps"),
    ],
)
def test_processes_with_parts_of_the_weights_learn_the_same(
    job: Job, run: Any, tmp_path: Path, model: tuple[str, ...]
) -> None:
    has_no_hidden_size = "model=transformer_seq2seq" in model
    options = (*model, *[each for each in TINY_DATES if not (has_no_hidden_size and "hidden_size" in each)], *SAME)
    options = (*options, "trainer.accumulate_steps=2", "trainer.batch_size=15")
    alone = job(1, *options, "run_dir=of1")
    finished(job(2, *options, "distributed=fsdp", "trainer.max_steps=4", "run_dir=of2"))
    finished(alone)
    finished(job(3, "resume=of2", "distributed=fsdp", "trainer.max_steps=6"))
    assert losses(tmp_path / "of2") == pytest.approx(losses(tmp_path / "of1"), rel=1e-4)
    assert_same_weights(tmp_path / "of2", tmp_path / "of1")
    one, two = (summary_of(tmp_path / name)["test"]["loss"] for name in ("of1", "of2"))
    assert two == pytest.approx(one, rel=1e-4)


def test_the_evaluation_of_many_is_that_of_one_to_the_bit(job: Job, run: Any, tmp_path: Path) -> None:
    finished(job(3, *TINY_DATES, "run_dir=many"))
    found = run("evaluate", "run=many", "format=json", "device=cpu")
    alone = json.loads(found.stdout)["metrics"]
    many = {name: value for name, value in summary_of(tmp_path / "many")["test"].items() if name in alone}
    assert many == alone


def test_a_run_goes_on_with_another_number_of_processes(job: Job, run: Any, tmp_path: Path) -> None:
    whole = job(1, *TINY_DATES, *SAME, "trainer.max_steps=12", "run_dir=whole")
    finished(job(2, *TINY_DATES, *SAME, "trainer.max_steps=5", "run_dir=parts"))
    finished(whole)
    finished(job(3, "resume=parts", "trainer.max_steps=9"))
    assert run("train", "resume=parts", "trainer.max_steps=12").returncode == 0
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)
    assert_same_weights(tmp_path / "parts", tmp_path / "whole")


def test_ranks_that_start_apart_write_one_run_directory(job: Job, tmp_path: Path) -> None:
    finished(job(2, *TINY_DATES, delay=1.1))  # seconds, in whole ones of which a directory is named
    found = [path.parent for path in (tmp_path / "outputs").glob("*/*/config.yaml")]
    assert len(found) == 1
    assert len(list(found[0].glob("events.out.tfevents.*"))) == 1


def test_a_rank_that_is_killed_ends_the_job_and_the_run_goes_on(job: Job, tmp_path: Path) -> None:
    running = job(2, *ENDLESS, "run_dir=run")
    until_saved(tmp_path / "run")
    running[1].send(signal.SIGKILL)
    first, second = ended(running)
    assert (first.returncode, second.returncode) == (1, -9)
    assert first.stderr.count("attnfocus: the connection to another process of the job is lost") == 1
    summary = summary_of(tmp_path / "run")
    assert summary["status"] == "failed"
    assert "connection to another process" in summary["error"]
    newest = tmp_path / "run" / "checkpoints" / (tmp_path / "run" / "checkpoints" / "last").read_text().strip()
    open_checkpoint(newest).verify()
    step = int(newest.name.split("-")[1])
    finished(job(3, "resume=run", f"trainer.max_steps={step + 3}", "trainer.evaluate_every_steps=null"))
    assert summary_of(tmp_path / "run")["steps"] == step + 3


@pytest.mark.parametrize(("rank", "fault"), [(0, "loss_not_finite"), (1, "bug_in_a_step"), (0, "leaves_in_a_step")])
def test_a_rank_that_fails_or_leaves_ends_the_job_with_one_cause(job: Job, rank: int, fault: str) -> None:
    done = ended(job(2, *ENDLESS, "run_dir=run", fault={rank: fault}, FAULT_AT="4"))
    said = [line for each in done for line in each.stderr.splitlines() if line.startswith("attnfocus:")]
    assert len(said) == 1
    if fault == "leaves_in_a_step":
        assert "connection to another process of the job is lost" in said[0]
        assert done[1 - rank].returncode == 1
        return
    if fault == "bug_in_a_step":
        assert "put in by the test" in said[0]
        assert [each.returncode for each in done] == [1, 1]
    else:
        assert "loss nan" in said[0]
        assert "attnfocus:" in done[rank].stderr  # which names its own examples
        assert [each.returncode for each in done] == [1, 1]


def test_a_mistake_is_told_once(job: Job, tmp_path: Path) -> None:
    mistakes = (
        ("model.hiden_size=4",),
        (*TINY_DATES, "trainer.split_on_oom=true"),
        (*TINY_DATES, "distributed=ddp", "distributed.num_processes=3"),
        (*TINY_DATES, "distributed=fsdp", "trainer.ema_decay=0.9", "trainer.compile=true"),
        ("-m", *TINY_DATES, "seed=1,2"),
    )
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "config.yaml").write_text("{}")
    full = job(2, *TINY_DATES, "run_dir=full")
    for running in [job(2, *arguments) for arguments in mistakes]:
        done = ended(running)
        assert [each.returncode for each in done] == [2, 2]
        assert [each.stderr.count("attnfocus:") for each in done] == [1, 0]
    done = ended(full)
    assert sum(each.stderr.count("attnfocus:") for each in done) == 1
    assert "already holds a run" in done[0].stderr
    assert done[0].returncode == 2


def test_other_data_in_a_process_are_refused(job: Job) -> None:
    done = ended(job(2, *TINY_DATES, fault={1: "other_data"}))
    assert done[0].returncode == 2
    assert "have read other data than the first" in done[0].stderr
    assert sum(each.stderr.count("attnfocus:") for each in done) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_any_rank_stops_all_after_the_same_step(job: Job, tmp_path: Path, number: int, code: int) -> None:
    running = job(2, *ENDLESS, "run_dir=run")
    until_saved(tmp_path / "run")
    running[1].send(number)
    assert [each.returncode for each in ended(running)] == [code, code]
    assert summary_of(tmp_path / "run")["status"] == "interrupted"


def test_a_restarted_job_goes_on_with_its_own_run(job: Job, tmp_path: Path) -> None:
    own = agent_store()
    other = job(2, *TINY_DATES, "trainer.max_steps=4", TORCHELASTIC_RESTART_COUNT="1")  # had begun nothing
    finished(job(2, *TINY_DATES, "trainer.max_steps=4", **reached(own)))
    finished(job(2, *TINY_DATES, "trainer.max_steps=8", TORCHELASTIC_RESTART_COUNT="1", **reached(own)))
    finished(other)
    found = [summary_of(path.parent) for path in (tmp_path / "outputs").glob("*/*/config.yaml")]
    assert sorted(each["steps"] for each in found) == [4, 8]


def test_a_run_that_goes_on_is_checked_too(job: Job, tmp_path: Path) -> None:
    finished(job(1, *TINY_DATES, "trainer.ema_decay=0.9", "trainer.split_on_oom=true", "run_dir=run"))
    problems = (("fsdp", "trainer.ema_decay"), ("ddp", "trainer.split_on_oom"))
    for distributed, _ in problems:  # a run each, which is locked while it is looked at
        shutil.copytree(tmp_path / "run", tmp_path / distributed)
    jobs = [job(2, f"resume={distributed}", f"distributed={distributed}") for distributed, _ in problems]
    for running, (_, key) in zip(jobs, problems, strict=True):
        done = ended(running)
        assert sum(each.stderr.count("attnfocus:") for each in done) == 1
        assert any(key in each.stderr for each in done)
        assert 2 in [each.returncode for each in done]


def test_a_process_without_a_device_of_its_own_says_so(job: Job) -> None:
    done = ended(job(2, *TINY_DATES, "device=cuda"))
    assert [each.returncode for each in done] == [2, 2]
    assert [each.stderr.count("attnfocus: device: cuda: this PyTorch ") for each in done] == [1, 0]
    done = ended(job(2, *TINY_DATES, "device=mps"))
    assert [each.returncode for each in done] == [2, 2]


def until_saved(run: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not (run / "checkpoints" / "last").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_command_tells_mistakes_once(copied: Path, agent: Callable[..., Running], run: Any, tmp_path: Path) -> None:
    """That it starts its processes without a fork: `tests/security/test_security_path.py`."""
    copied.rename(tmp_path / "run")
    taken = agent(*TINY_DATES)
    wrong = run("train", "distributed=ddp", "device=cpu")
    assert_polite(wrong, 2)
    assert "distributed.num_processes: null means one for each GPU" in wrong.stderr
    assert_polite(taken.wait(), 2)


@pytest.fixture
def agent(start: Callable[..., Running], tmp_path: Path) -> Callable[..., Running]:
    """Starts the command that starts two processes, at most `ranks` in all, in the run directory `run`."""
    return lambda *arguments, ranks=2: start(
        "train", *TWO, f"run_dir={tmp_path / 'run'}", *arguments, fault="ranks_forked", FAULT_AT=str(ranks)
    )


@pytest.fixture
def saved(agent: Callable[..., Running], tmp_path: Path) -> Callable[..., Running]:
    """The same, once the run has been saved."""

    def begin(*arguments: str, **options: int) -> Running:
        running = agent(*ENDLESS, *arguments, **options)
        until_saved(tmp_path / "run")
        return running

    return begin


def test_the_command_tells_a_kill_once(saved: Callable[..., Running]) -> None:
    agent = saved()
    os.kill(processes_of(agent)[-1], signal.SIGKILL)
    done = agent.wait()
    assert done.returncode == 1
    assert done.stderr.count("attnfocus:") == 1
    assert "was killed by SIGKILL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "torch/distributed" not in done.stderr


def test_the_command_starts_anew_and_goes_on_if_it_may(saved: Callable[..., Running], tmp_path: Path) -> None:
    agent = saved("trainer.max_steps=60", "distributed.max_restarts=1", "model.hidden_size=64", ranks=4)
    os.kill(processes_of(agent)[0], signal.SIGKILL)
    done = agent.wait()
    assert done.returncode == 0, done.stderr
    assert summary_of(tmp_path / "run")["steps"] == 60
    assert "resumed" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_command_passes_signals_on(saved: Callable[..., Running], tmp_path: Path, number: int) -> None:
    agent = saved()
    agent.send(number)
    done = agent.wait()
    assert done.returncode == 143
    assert summary_of(tmp_path / "run")["status"] == "interrupted"
    assert "resume=" in done.stderr
    assert "death signal" not in done.stderr


def test_processes_whose_command_was_killed_save_and_end(saved: Callable[..., Running], tmp_path: Path) -> None:
    agent = saved()
    pids = processes_of(agent)
    agent.send(signal.SIGKILL)
    agent.wait()
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert summary_of(tmp_path / "run")["status"] == "interrupted"


AGENT = """
import os, subprocess, sys
environment = {**os.environ, "ATTNFOCUS_AGENT": str(os.getpid()), "TORCHELASTIC_RUN_ID": "test"}
for rank in (0, 1):
    own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "3"}  # the third never comes
    command = [sys.executable, "-c", "import sys; from attnfocus.cli import main; sys.exit(main())", *sys.argv[1:]]
    subprocess.Popen(command, env={**environment, **own})
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0, 2.0, 6.0])  # after the start; torch takes 2 s, and then they wait
def test_59_processes_whose_command_is_killed_before_they_have_met_end(tmp_path: Path, seconds: float) -> None:
    environment = {**os.environ, **reached(store := agent_store()), "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-c", AGENT, "train", *TINY_DATES, *TWO, "device=cpu", f"run_dir={tmp_path / 'run'}"]
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(line, env=environment, cwd=tmp_path, **piped) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()
        pids = processes_of(agent)
        assert len(pids) == 2
        time.sleep(seconds)
        agent.kill()
    deadline = time.monotonic() + 10
    while alive := [pid for pid in pids if is_alive(pid)]:
        if time.monotonic() > deadline:
            for pid in alive:
                os.kill(pid, signal.SIGKILL)
            pytest.fail(f"{len(alive)} processes are left")
        time.sleep(0.1)
    del store


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to take notice of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_of(agent: Running | subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()]
