"""Checkpoints: whole or absent, checked before they are believed, never executed."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from training_toys import ToyModel, same_tensors

from attnfocus.errors import CheckpointError
from attnfocus.training import CheckpointStore, adam
from attnfocus.training.checkpoints import store as store_module
from attnfocus.training.checkpoints.checkpoint import FILES, MANIFEST, _seal
from attnfocus.training.checkpoints.tensors import model_tensors


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ToyModel()


@pytest.fixture
def optimizer(model):
    optimizer = adam(model.parameters())
    model(torch.ones(2, 6)).sum().backward()
    optimizer.step()
    return optimizer


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "checkpoints", keep=2)


def save(store, model, optimizer, *steps, best=()):
    for step in steps:
        store.save(step, model, optimizer, {"step": step}, is_best=step in best)


def names(store):
    return sorted(path.name for path in store.folder.iterdir())


def test_a_checkpoint_brings_back_weights_optimizer_and_state(store, model, optimizer):
    save(store, model, optimizer, 3)
    other = ToyModel()
    other_optimizer = adam(other.parameters(), lr=0.5)
    checkpoint = store.newest()
    checkpoint.load_model(other)
    checkpoint.load_optimizer(other_optimizer, other)
    assert same_tensors(model, other)
    assert checkpoint.state() == {"step": 3}
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        for key, value in optimizer.state[ours].items():
            assert torch.equal(value, other_optimizer.state[theirs][key])
    assert other_optimizer.param_groups[0]["lr"] == 0.5  # hyperparameters are the configuration's


def test_tied_tensors_are_saved_once_and_stay_tied(store, model, optimizer):
    assert "second.weight" not in model_tensors(model)
    save(store, model, optimizer, 1)
    other = ToyModel()
    store.newest().load_model(other)
    assert other.second.weight is other.first.weight
    untied = ToyModel()
    untied.second.weight = torch.nn.Parameter(untied.second.weight.clone())
    with pytest.raises(CheckpointError, match=r"only in this model: second\.weight"):
        store.newest().load_model(untied)


def test_old_ones_go_and_the_best_stays(store, model, optimizer):
    save(store, model, optimizer, 1, 2, 3, 4, 5, best=(2,))
    assert names(store) == ["best", "last", "step-00000002", "step-00000004", "step-00000005"]
    assert (store.load("best").step, store.load("last").step) == (2, 5)


def test_ones_that_a_resume_left_behind_do_not_push_out_good_ones(store, model, optimizer):
    save(store, model, optimizer, 10, 20)
    (store.folder / "step-00000020" / MANIFEST).unlink()
    save(store, model, optimizer, 15)
    assert names(store) == ["last", "step-00000010", "step-00000015"]


def test_saving_a_step_again_replaces_it(store, model, optimizer):
    save(store, model, optimizer, 1)
    store.save(1, model, optimizer, {"again": True})
    assert store.newest().state() == {"again": True}
    assert names(store) == ["last", "step-00000001"]


def test_a_kill_between_the_two_renames_of_a_replacement_loses_nothing(store, model, optimizer):
    save(store, model, optimizer, 1, best=(1,))
    (store.folder / "step-00000001").rename(store.folder / "step-00000001.replaced")
    assert store.newest().step == 1
    save(store, model, optimizer, 2, 3, 4)
    assert store.load("best").step == 1


@pytest.mark.parametrize("file", [*FILES, MANIFEST])
@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "missing", "pickle"])
def test_a_damaged_file_is_named_and_the_one_before_used(store, model, optimizer, file, damage, caplog, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    save(store, model, optimizer, 1, 2)
    path = store.folder / "step-00000002" / file
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    if damage == "missing":
        path.unlink()
    else:
        variants = {"truncated": content[:-7], "empty": b"", "flipped": flipped, "pickle": pickle.dumps(Hostile())}
        path.write_bytes(variants[damage])
    assert store.newest().step == 1
    assert caplog.text.count(str(path)) == 1
    with pytest.raises(CheckpointError, match=r"There are: step-00000002, step-00000001"):
        store.load("last")
    shutil.rmtree(store.folder / "step-00000001")
    with pytest.raises(CheckpointError, match="no checkpoint is whole") as caught:
        store.newest()
    assert caught.value.exit_code == 3
    assert not (tmp_path / "ran").exists()


def test_every_flipped_bit_of_a_manifest_is_noticed_or_harmless(store, model, optimizer):
    path = store.save(1, model, optimizer, {"step": 1}) / MANIFEST
    content, noticed = path.read_bytes(), []
    for position in range(0, len(content), 7):
        for bit in (1, 16):
            path.write_bytes(content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :])
            try:
                state = store.newest().state()
            except CheckpointError as error:
                noticed.append("no checkpoint is whole" in str(error))
            else:
                assert state == {"step": 1}
    assert noticed
    assert all(noticed)


def test_a_newer_format_says_which_version_made_it(store, model, optimizer):
    path = store.save(1, model, optimizer, {}) / MANIFEST
    manifest = {"format": 2, "attnfocus": "9.1", "files": {}}
    path.write_text(json.dumps({**manifest, "seal": _seal(manifest)}))
    with pytest.raises(CheckpointError, match=r"format 2, written by attnfocus 9\.1") as caught:
        store.newest()
    assert len(str(caught.value).splitlines()) <= 5


def test_names_lead_nowhere_else(store, model, optimizer, tmp_path):
    save(store, model, optimizer, 1)
    shutil.copytree(store.folder / "step-00000001", tmp_path / "step-00000009")
    for name in ("../step-00000009", str(tmp_path / "step-00000009"), "step-00000007", ""):
        with pytest.raises(CheckpointError, match="There are: step-00000001"):
            store.load(name)
    (store.folder / "best").write_text("../step-00000009")
    with pytest.raises(CheckpointError, match="names no checkpoint"):
        store.load("best")


def test_nothing_saved_yet_is_no_error_and_writes_nothing(tmp_path):
    store = CheckpointStore(tmp_path / "checkpoints")
    assert store.newest() is None
    with pytest.raises(CheckpointError, match="Nothing has been saved there"):
        store.load("best")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_full_disk_leaves_the_old_checkpoint_and_no_rest(tmp_path):
    """A limit on file sizes makes the write itself fail, as a full disk does."""
    script = f"""
        import resource, torch
        from pathlib import Path
        from attnfocus.training import CheckpointStore, adam
        model = torch.nn.Linear(300, 300)
        optimizer = adam(model.parameters())
        store = CheckpointStore(Path({str(tmp_path)!r}))
        store.save(1, model, optimizer, {{}})
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            store.save(2, model, optimizer, {{}})
        except OSError as error:
            print("OSError", store.newest().step, sorted(path.name for path in store.folder.iterdir()))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert result.stdout.strip() == "OSError 1 ['last', 'step-00000001']", result.stderr


def test_a_kill_at_any_moment_of_a_save_leaves_a_whole_checkpoint(store, model, optimizer, monkeypatch):
    """Stops a save (2 replaced, best moving from 1 to 2, 1 pruned) before each of its changes to the disk in turn."""
    from pathlib import Path

    class KilledError(BaseException):
        pass

    remaining = 10_000

    def counted(real):
        def call(*args, **kwargs):
            nonlocal remaining
            remaining -= 1
            if remaining < 0:
                raise KilledError
            return real(*args, **kwargs)

        return call

    for function in ("rename", "replace", "mkdir", "open", "unlink"):
        monkeypatch.setattr(Path, function, counted(getattr(Path, function)))
    real_rmtree = shutil.rmtree

    def rmtree(*args, **kwargs):
        if remaining >= 0:  # a killed process cleans nothing up
            real_rmtree(*args, **kwargs)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    for number in range(200):
        remaining = 10_000
        folder = store.folder.with_name(f"kill-{number}")
        trial = CheckpointStore(folder, keep=1)
        trial.save(1, model, optimizer, {"step": 1}, is_best=True)
        trial.save(2, model, optimizer, {"step": 2})
        remaining = number
        finished = False
        try:
            trial.save(2, model, optimizer, {"step": 2, "again": True}, is_best=True)
            finished = True
        except KilledError:
            pass
        remaining = 10_000
        assert trial.newest().step == 2
        assert trial.load("best").step in (1, 2) or finished
        trial.save(3, model, optimizer, {"step": 3}, is_best=True)
        assert names(trial) == ["best", "last", "step-00000003"]
        if finished:
            break
    assert 10 < number < 199


class Killed(BaseException):
    """Nothing runs after it, as after SIGKILL."""


def killed_at(monkeypatch, moment):
    """Lets the process die before its `moment`-th change of the disk; gives how many there have been."""
    count = [0]

    def before(owner, name):
        real = getattr(owner, name)

        def change(*arguments, **options):
            count[0] += 1
            if count[0] > moment:
                raise Killed
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, change)

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
        before(Path, name)
    before(store_module, "write_new")
    return count


@pytest.mark.slow
def test_a_kill_anywhere_in_a_save_leaves_nothing_more_after_a_resume_or_the_next(tmp_path, model, optimizer):
    expected = ["best", "last", "step-00000002", "step-00000004", "step-00000005"]
    moment, is_whole = 0, False
    while not is_whole:
        store = CheckpointStore(tmp_path / str(moment), keep=2)
        save(store, model, optimizer, 1, 2, 3, best=(2,))
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, moment)
            try:
                save(store, model, optimizer, 4)
                is_whole = True
            except Killed:
                pass
        again = CheckpointStore(store.folder, keep=2)
        newest = again.newest()
        assert newest.step in (3, 4)
        again.finish_save(newest, 2)
        assert names(again) == ["best", "last", *(f"step-0000000{step}" for step in range(2, newest.step + 1))]
        save(again, model, optimizer, *range(newest.step + 1, 6))
        assert names(again) == expected, moment
        moment += 1
    assert moment > 10
