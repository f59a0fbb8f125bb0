"""`attnfocus inspect`: what it prints and writes, and what it says of what it cannot show."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from command_here import run_here
from tests_support import TINY_DATES, Command, assert_polite, only_run

import attnfocus as package
from attnfocus.errors import ConfigError, DataError
from attnfocus.inspection.examples import Choice, chosen_maps, is_part
from attnfocus.models import Place
from attnfocus.special import BOS
from attnfocus.tasks.maps import attention_map

pytestmark = pytest.mark.slow

FIXTURE = Path(__file__).parents[1] / "runs" / "fixtures" / "run-format-1"
TRANSLATOR = [each for each in TINY_DATES if "hidden_size" not in each]


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Transformer that has learnt next to nothing of dates, with two layers on each side."""
    folder = tmp_path_factory.mktemp("dates")
    options = (
        "model=transformer_seq2seq",
        "model.num_encoder_layers=2",
        "model.num_decoder_layers=2",
        *TRANSLATOR,
        "trainer.max_steps=2",
        "trainer.save_every_steps=1",
        "focus.num_samples=0",
        "decoding.max_length=10",
        "decoding.min_length_ratio=0.2",
    )
    assert run_here(("train", *options), folder).returncode == 0
    return only_run(folder)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A small classifier of vectors, of an older version."""
    return shutil.copytree(FIXTURE, tmp_path / "vectors")


def test_a_text_is_shown_and_its_files_are_named(attnfocus: Command, dates: Path, tmp_path: Path) -> None:
    done = attnfocus("inspect", f"run={dates}", "text=Freitag, 3. Mai 1999", "output=out")
    assert done.returncode == 0, done.stderr
    assert "1  Freitag, 3. Mai 1999" in done.stdout
    assert "attention, decoder.layers.0.cross, mean of" in done.stdout
    assert "\x1b" not in done.stdout
    for name in ("index.html", "inspect.json"):
        assert str(tmp_path / "out" / name) in done.stderr
    facts = json.loads((tmp_path / "out" / "inspect.json").read_text(encoding="utf-8"))
    names = [each["attention"] or each["method"] for each in facts["examples"][0]["maps"]]
    assert names == [
        *(f"encoder.layers.{n}" for n in range(2)),
        *(f"decoder.layers.{n}.{kind}" for n in range(2) for kind in ("self", "cross")),
        "integrated_gradients",
    ]
    assert len(list((tmp_path / "out").glob("*.png"))) == len(names)


def test_files_go_to_a_new_folder_of_the_run(attnfocus: Command, vectors: Path) -> None:
    for _ in range(2):
        done = attnfocus("inspect", f"run={vectors}", "num_examples=2")
        assert done.returncode == 0, done.stderr
    folders = list((vectors / "inspect").iterdir())
    assert len(folders) == 2
    assert all((folder / "index.html").exists() for folder in folders)
    facts = json.loads((folders[0] / "inspect.json").read_text(encoding="utf-8"))
    assert facts["kind"] == "vectors"
    assert len(facts["examples"]) == 2


def test_a_text_is_taken_as_it_is_typed(attnfocus: Command, dates: Path) -> None:
    text = "[1], 'it''s' \"${oc.env:HOME}\" \\ k=v 年"
    done = attnfocus("inspect", f"run={dates}", f"text={text}", "format=json", "files=[]", "method=attention")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["examples"][0]["source"] == text


def test_lines_of_a_file_are_shown_and_a_bad_one_is_marked(attnfocus: Command, dates: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("3 May 1999\n\n5 May 2000\n", encoding="utf-8")
    done = attnfocus("inspect", f"run={dates}", "input=lines.txt", "files=[]", "layer=0.cross", "head=1")
    assert done.returncode == 0, done.stderr
    assert "skipped: empty input" in done.stdout
    assert "3  5 May 2000" in done.stdout
    assert "more lines" not in done.stderr
    assert "mean of" not in done.stdout
    assert not list(dates.glob("inspect"))
    piped = attnfocus("inspect", f"run={dates}", "input=-", "files=[]", "num_examples=1", input="a\nb\n")
    assert "1  a" in piped.stdout
    assert "2  b" not in piped.stdout
    part = attnfocus("inspect", f"run={dates}", "input=lines.txt", "files=[]", "num_examples=1", "layer=0.cross")
    assert "there are more lines than num_examples=1, which are not shown" in part.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["text=a", "method=atention"],
            ["method: there is no method atention. Did you mean attention?", "gradient_input"],
        ),
        (["text=a", "layer=decoder.layer.0.cross"], ["layer: ", "Did you mean decoder.layers.0.cross?", "encoder"]),
        (["text=a", "layer=croos", "method=gradient_input"], ["layer: croos is no attention", "Did you mean cross?"]),
        (["text=a", "layer=7"], ["layer: 7 is no attention of this run.", "decoder.layers.1.self"]),
        (["text=a", "head=99"], ["head: must be 0 to ", "got 99"]),
        (["text=a", "head=-1"], ["head: must be >= 0 or null (not set), got -1"]),
        (["text="], ["text: the input is empty"]),
        (["text=a", "split=test"], ["text and split: choose one of them"]),
        (["input=nowhere.txt"], ["input: ", "file not found"]),
        (["input=/dev/null"], ["input: there is no line in it"]),
        (["text=a", "files=[gif]"], ["files", "html"]),
        (["text=a", "files=html"], ["files: must be a list such as [a,b], got 'html'"]),
        (["text=a", "output=/dev/null/x"], ["output: cannot write to /dev/null/x"]),
    ],
)
def test_what_cannot_be_shown_is_said(
    attnfocus: Command, dates: Path, arguments: Sequence[str], said: Sequence[str]
) -> None:
    done = attnfocus("inspect", f"run={dates}", *arguments)
    assert_polite(done, 2)
    for words in said:
        assert words in done.stderr


def test_an_input_that_is_too_long_is_said(attnfocus: Command, dates: Path, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("a" * 4100 + "\n", encoding="utf-8")
    done = attnfocus("inspect", f"run={dates}", f"input={tmp_path / 'long.txt'}", "input_format=lines", "files=[]")
    assert_polite(done, 2)
    assert "input of 4100 tokens; at most 4096 can be shown" in done.stderr


def test_the_scale_of_the_screen_and_the_page_is_chosen(attnfocus: Command, dates: Path, tmp_path: Path) -> None:
    for scale in ("one", "largest", "uniform"):
        arguments = ("text=a", f"scale={scale}", "files=[html]", f"output={tmp_path / scale}")
        assert attnfocus("inspect", f"run={dates}", *arguments).returncode == 0
        assert f'"scale":"{scale}"' in (tmp_path / scale / "index.html").read_text(encoding="ascii")
    assert_polite(attnfocus("inspect", f"run={dates}", "text=a", "scale=log"), 2)


def test_a_run_must_be_named(attnfocus: Command, tmp_path: Path) -> None:
    assert_polite(attnfocus("inspect", "text=a"), 2)
    assert_polite(attnfocus("inspect", f"run={tmp_path}", "text=a"), 2)


def test_an_attention_without_weights_leaves_the_other_methods(dates: Path) -> None:
    run = package.load(dates, device="cpu")
    run.model.register_forward_hook(lambda model, given, output: output._replace(weights={}))
    with pytest.raises(DataError, match=r"gives no weights.*method=gradient_input"):
        run.inspect("3 May 1999", method="attention")
    found = run.inspect("3 May 1999", method="gradient_input")
    assert [each.method for each in found.examples[0].maps] == ["gradient_input"]


def test_the_library_gives_what_the_command_prints(dates: Path, tmp_path: Path) -> None:
    run = package.load(dates, device="cpu")
    found = run.inspect(["3 May 1999", "5 May 2000"], layer="cross", method=["attention", "leave_one_out"])
    assert [each.prediction.source for each in found.examples] == ["3 May 1999", "5 May 2000"]
    assert [each.name for each in found.examples[0].maps] == ["decoder.layers.0.cross", "decoder.layers.1.cross", ""]
    assert "1  3 May 1999" in repr(found)
    assert "<iframe" in found._repr_html_()
    assert {path.suffix for path in found.save(tmp_path / "out")} == {".html", ".json", ".png", ".txt"}
    shown = run.inspect(split="valid", num_examples=3, head=0).examples
    assert [each.prediction.id for each in shown] == ["valid-0", "valid-1", "valid-2"]
    assert all(each.heads == (0,) for example in shown for each in example.maps)


def test_the_library_refuses_what_the_command_would(dates: Path) -> None:
    run = package.load(dates, device="cpu")
    with pytest.raises(DataError, match="there is no input to show"):
        run.inspect([])
    with pytest.raises(ConfigError, match="num_examples: must be > 0, got -1"):
        run.inspect(num_examples=-1)
    with pytest.raises(ConfigError, match="head: must be 0 to 7 in this run, got -1"):
        run.inspect("a", head=-1)
    with pytest.raises(ConfigError, match="texts and split: choose one"):
        run.inspect("a", split="test")


def test_the_verdict_of_an_evaluation_is_shown(vectors: Path) -> None:
    assert package.load(vectors, device="cpu").inspect(num_examples=1).verdict is None
    step = package.load(vectors, device="cpu").step
    content = {"step": step, "format": 2, "sentences": {"en": ["Yes.", "It is."]}, "metrics": {"faithfulness/x": 0.5}}
    (vectors / "faithfulness.json").write_text(json.dumps(content), encoding="utf-8")
    found = package.load(vectors, device="cpu").inspect(num_examples=1)
    assert found.verdict == {"en": "Yes.\nIt is."}
    assert found.faithfulness == {"faithfulness/x": 0.5}
    assert repr(found).endswith("It is.")
    assert package.load(vectors, checkpoint="last", device="cpu").inspect(num_examples=1).verdict is None
    (vectors / "faithfulness.json").write_text("[]")
    assert package.load(vectors, device="cpu").inspect(num_examples=1).verdict is None


def test_a_layer_is_any_part_of_a_name() -> None:
    names = ["encoder.layers.1", "decoder.layers.1.cross", "decoder.layers.11.cross", "cross"]
    assert [is_part("1", name) for name in names] == [True, True, False, False]
    assert [is_part("layers.1", name) for name in names] == [True, True, False, False]
    assert [is_part("cross", name) for name in names] == [False, True, True, True]
    assert [is_part("decoder.layers.11.cross", name) for name in names] == [False, False, True, False]
    assert not is_part("layer", names[0])


def test_a_head_that_only_some_attentions_have_shows_those() -> None:
    many, one = (
        attention_map(place, np.ones((n, 1, 1)), ("q",), ("k",))
        for place, n in (
            (Place("layers.0", "self", "input", "input"), 4),
            (Place("pooling", "pooling", "learned", "input"), 1),
        )
    )
    assert [each.heads for each in chosen_maps([many, one], Choice(head=2))] == [(2,)]
    with pytest.raises(ConfigError, match="0 to 3"):
        chosen_maps([many, one], Choice(head=4))


def test_too_many_tokens_are_refused_before_the_model_runs(dates: Path) -> None:
    ran: list[int] = []
    run = package.load(dates, device="cpu")
    run.model.register_forward_pre_hook(lambda model, given: ran.append(1))
    with pytest.raises(DataError, match="input of 4097 tokens; at most 4096 can be shown"):
        run.inspect("1" * 4097)
    assert not ran


def test_two_steps_of_a_run_are_compared_under_one_output(attnfocus: Command, dates: Path, tmp_path: Path) -> None:
    arguments = ["inspect", f"run={dates}", "text=3 May 1999", "minus=1", "output=out", "files=[html,json,csv,png]"]
    done = attnfocus(*arguments, "method=[attention,gradient_input]")
    assert done.returncode == 0, done.stderr
    assert "decoder.layers.0.cross, minus step 1" in done.stdout
    assert "above 0: more here; below 0: more in step 1" in done.stdout
    facts = json.loads((tmp_path / "out" / "inspect.json").read_text(encoding="utf-8"))
    assert facts["minus"] == "step 1"
    after, before = package.load(dates, device="cpu"), package.load(dates, checkpoint="step-00000001", device="cpu")
    (found,) = after.inspect("3 May 1999", minus=before, method=["attention", "gradient_input"]).examples
    assert len(facts["examples"][0]["maps"]) == len(found.maps) == 7
    for each, shown in zip(found.maps, facts["examples"][0]["maps"], strict=True):
        np.testing.assert_allclose(shown["minus"], each.minus.weights, atol=1e-5)
        assert np.abs(each.difference).max() > 0
    ids = after.codec.target_tokenizer.encode(found.prediction.text)
    row = after.codec.encode_input("3 May 1999", "1")
    own = before.model(
        torch.from_numpy(row.inputs)[None], torch.tensor([len(row.inputs)]), torch.tensor([[BOS, *ids[:-1]]]), True
    )
    for each in found.maps[:6]:  # the other's maps are those under this run's output
        np.testing.assert_allclose(each.minus.weights, own.weights[each.name][0].detach().numpy(), atol=1e-6)
    table = (tmp_path / "out" / "1_attention_encoder.layers.0.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "head,query,query_token,key,key_token,weight,minus"
    assert "orange is more in step 1" in (tmp_path / "out" / "1_attention_encoder.layers.0.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("minus", "said"),
    [
        ("7", ["minus: there is no checkpoint of step 7", "There are those of steps 1, 2", "minus=2"]),
        ("best", ["minus: step ", "is what is shown itself"]),
        ("nowhere", ["minus: there is no folder ", "nowhere"]),
    ],
)
def test_what_cannot_be_taken_away_is_said(attnfocus: Command, dates: Path, minus: str, said: Sequence[str]) -> None:
    done = attnfocus("inspect", f"run={dates}", "text=a", "files=[]", f"minus={minus}")
    assert_polite(done, 2)
    for words in said:
        assert words in done.stderr


def test_runs_with_other_tokens_heads_or_attentions_are_not_compared(dates: Path, vectors: Path) -> None:
    run, other = (package.load(dates, device="cpu") for _ in range(2))
    other.path = dates.parent / "other"
    other.step = 1
    found = run.inspect("3 May 1999", minus=other, layer="cross", head=1)
    assert found.facts["minus"] == "other (step 1)"
    assert all(not each.difference.any() for each in found.examples[0].maps if each.method == "attention")
    with pytest.raises(ConfigError, match=r"^minus: vectors \(step 20\): .* is not a JSON list of vectors"):
        run.inspect("3 May 1999", minus=package.load(vectors, device="cpu"))
    weights = other.model.forward

    def fewer(*given: object, **named: object) -> object:
        output = weights(*given, **named)
        return output._replace(weights={name: each[:, :1] for name, each in output.weights.items()})

    other.model.forward = fewer
    with pytest.raises(ConfigError, match=r"encoder.layers.0 has 1 heads in other \(step 1\), and other ones here"):
        run.inspect("3 May 1999", minus=other, method="attention")
    shown = run.inspect("3 May 1999", minus=other, method="attention", head=0, layer="cross").examples[0]
    assert [each.minus.weights.shape[0] for each in shown.maps] == [1, 1]
    del other.model.forward
    split = other.codec.source_tokenizer
    other.codec.source_tokens = lambda ids: [token.upper() for token in split.tokens(int(each) for each in ids)]
    with pytest.raises(ConfigError, match=r"has other tokens in example 1: M in place of m \(token 3\)"):
        run.inspect("3 may 1999", minus=other)


def test_weights_are_weighed_by_the_norms_of_their_values(dates: Path) -> None:
    run = package.load(dates, device="cpu")
    maps = run.inspect("3 May 1999", method=["attention", "attention_norm"]).examples[0].maps
    assert [each.method for each in maps] == ["attention"] * 6 + ["attention_norm"] * 6
    row = run.codec.encode_input("3 May 1999", "1")
    name = "encoder.layers.0"
    attention = run.model.attentions()[name]
    seen: list[torch.Tensor] = []
    attention.value_projection.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    run.inspect("3 May 1999", method="attention", layer=name)
    states = seen[0].clone()
    assert states.shape[:2] == (1, len(row.inputs))
    size = attention.key_head_dim
    for head in range(attention.num_heads):
        part = slice(head * size, (head + 1) * size)
        values = states[0] @ attention.value_projection.weight[part].T + attention.value_projection.bias[part]
        norms = (values @ attention.output_projection.weight[:, part].T).norm(dim=-1).detach().numpy()
        np.testing.assert_allclose(maps[6].weights[head], maps[0].weights[head] * norms, rtol=1e-4, atol=1e-6)
