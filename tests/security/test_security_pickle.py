"""A pickle in place of any file of a run is refused and does nothing; our code has no way to read one."""

import ast
import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).resolve().parents[2] / "attnfocus"
FILES = (
    "config.yaml",
    "data/codec.json",
    "data/source_tokenizer.json",
    "data/fingerprints.json",
    "checkpoints/best",
    "checkpoints/*/manifest.json",
    "checkpoints/*/model.safetensors",
    "checkpoints/*/state.json",
    "checkpoints/*/optimizer.json",
    "checkpoints/*/optimizer.safetensors",
)
# What runs code when it is read, opens archives, or evaluates text.
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "tarfile", "zipfile"}
FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "torch.save", "np.load", "yaml.load", "yaml.unsafe_load"}
FORBIDDEN_METHODS = {"extract", "extractall"}  # of an archive: they write where it says
READS_ARCHIVES = "data/reading/zip_files.py"  # one file inside, as a stream
READS_ARRAYS = {
    "data/reading/signal_files.py": {"np.load", "zipfile"},  # npy and npz, without pickle, of a limited size
    "data/sources/fsdd.py": {"tarfile"},  # wavs inside, as streams: nothing is unpacked to a path
}
FORBIDDEN_CALLS |= {"shutil.unpack_archive", "os.system", "yaml.full_load", "pooch.Unzip", "pooch.Untar"}


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", FILES)
def test_a_pickle_in_place_of_a_file_is_refused(
    name: str, command: Callable[..., int], copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = copy / "PWNED"
    content = pickle.dumps(Hostile(mark))
    for path in copy.glob(name):
        path.write_bytes(content)
    for arguments in (["evaluate", f"run={copy}"], ["train", f"resume={copy}"]):
        if name == "checkpoints/best" and arguments[0] == "train":
            continue  # resuming takes the newest, whatever the best is
        assert command(*arguments) == 3, capsys.readouterr().err
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert len(said.strip().splitlines()) <= 5
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists(), "the pickle is harmless, so this test proves nothing"


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/object/new:os.system", "!!python/name:os.x"]
)
def test_yaml_that_builds_objects_is_refused(tag: str, command: Callable[..., int], copy: Path) -> None:
    (copy / "config.yaml").write_text(f'model: {tag} ["touch {copy / "PWNED"}"]\n')
    assert command("evaluate", f"run={copy}") == 3
    assert not (copy / "PWNED").exists()


def test_a_line_that_unpacks_into_gigabytes_is_refused(command: Callable[..., int], copy: Path, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.gz", "wb") as file:
        for _ in range(20):
            file.write(bytes(1_000_000))
    assert command("predict", f"run={copy}", "input=bomb.gz") == 2


def forbidden_in(path: Path) -> set[str]:
    """What a module imports or calls that it must not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_IMPORTS
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").split(".")[0]} & FORBIDDEN_IMPORTS
        elif isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & FORBIDDEN_CALLS
            found |= {node.func.attr} & FORBIDDEN_METHODS if isinstance(node.func, ast.Attribute) else set()
    return found


def test_no_code_of_ours_can_run_what_it_reads() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 100
    found = {str(path.relative_to(PACKAGE)): found for path in paths if (found := forbidden_in(path))}
    assert found == {READS_ARCHIVES: {"zipfile"}, **READS_ARRAYS}
    content = (PACKAGE / "data/reading/signal_files.py").read_text(encoding="utf-8")
    assert content.count("np.load(") == content.count("allow_pickle=False") == 1
