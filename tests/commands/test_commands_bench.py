"""`attnfocus bench`: what is measured is what it says, alike for all; mistakes are named; results survive."""

import csv
import json
import math
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from tests_support import PAPER, Command, assert_for_paper, assert_polite, commands_run_in
from torch import nn

from attnfocus.attention import AdditiveScore, Attention, ScaledDotScore
from attnfocus.cli import main
from attnfocus.commands.bench.command import BenchConfig, candidates, listed, measure
from attnfocus.commands.bench.costs import Cost
from attnfocus.commands.bench.decoding import Decoder
from attnfocus.commands.bench.figure import costs_drawing, draw_costs
from attnfocus.commands.bench.growth import growth
from attnfocus.commands.bench.measure import (
    NUM_WARM_UPS,
    Baseline,
    Candidate,
    Inputs,
    interleaved,
    medians,
    of_baseline,
    peak_bytes,
    quartiles,
)
from attnfocus.commands.bench.quiet import other_load, unsteady
from attnfocus.commands.bench.table import print_costs
from attnfocus.display.console import plain_console
from attnfocus.errors import ConfigError
from attnfocus.runs.loader import load

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
TINY = ("lengths=[16,8,32]", "repeats=2", "embed_dim=16")


def inputs_of(length: int = 8, dim: int = 16, with_mask: bool = False) -> Inputs:
    return Inputs.of(2, length, dim, CPU, torch.float32, with_mask)


def only_bench(folder: Path) -> Path:
    (path,) = folder.glob("outputs/*/*/results.csv")
    return path.parent


def test_a_bench_writes_and_prints_its_results(attnfocus: Command, tmp_path: Path) -> None:
    done = attnfocus("bench", "attentions=[dot,additive]", *TINY, *PAPER, "width=page")
    assert done.returncode == 0, done.stderr
    folder = only_bench(tmp_path)
    figures = {"bench.pdf", "bench.svg", "bench.txt"}
    assert {path.name for path in folder.iterdir()} == {"bench.yaml", "results.csv", "summary.json", *figures}
    assert_for_paper(folder, "bench", 6.9, "batch_size")
    rows = list(csv.DictReader((folder / "results.csv").read_text(encoding="utf-8").splitlines()))
    places = [(row["attention"], row["length"]) for row in rows]
    assert places == [(name, length) for length in ("8", "16", "32") for name in ("baseline", "dot", "additive")]
    for row in rows:
        assert row["path"] == {"baseline": "sdpa", "dot": "sdpa", "additive": "plain"}[row["attention"]]
        assert float(row["forward_seconds"]) > 0
        assert float(row["backward_seconds"]) > 0
        assert int(row["peak_bytes"]) > 0
        assert 0 < float(row["low_seconds"]) <= float(row["median_seconds"]) <= float(row["high_seconds"])
        assert (row["batch_size"], row["embed_dim"], row["num_heads"]) == ("1", "16", "4")
        assert (row["device"], row["dtype"], row["repeats"], row["problem"]) == ("cpu", "float32", "2", "")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert set(summary["grows_as_length_to_the"]) == {"baseline", "dot", "additive"}
    assert set(summary["grows_as_length_to_the"]["dot"]["seconds"]) == {"exponent", "low", "high"}
    assert summary["command"].startswith("attnfocus bench ")
    assert "grows as" in done.stdout
    firsts = [line.split()[:2] for line in done.stdout.splitlines()[:9]]  # a row as soon as it was measured
    assert firsts == [[n, name] for n in ("8", "16", "32") for name in ("dot", "additive", "baseline")]
    for row in rows:
        if row["attention"] == "baseline":
            assert row["of_baseline"] == ""
        else:
            assert 0 < float(row["low_of_baseline"]) <= float(row["of_baseline"]) <= float(row["high_of_baseline"])
    assert str(folder) in done.stderr
    assert not [char for char in done.stdout + done.stderr if ord(char) < 32 and char != "\n"]
    again = attnfocus("bench", f"run_dir={folder}")
    assert_polite(again, 2)
    assert "already holds" in again.stderr


def test_a_folder_of_a_bench_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text("lengths: [8]\n")
    with pytest.raises(ConfigError, match="not a run directory"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["attentions=[addtive]"], ["attentions: addtive: no such choice. Did you mean additive?"]),
        (["attentions=addtive"], ["Did you mean additive?"]),
        (["attentions=[dot,additive attention.score.hiden_size=3]"], ["Did you mean attention.score.hidden_size?"]),
        (["attentions=[dot attention.dropout=2]"], ["attentions: dot attention.dropout=2: attention.dropout", "< 1"]),
        (["attentions=[dot attention.path=flex]", "device=cpu"], ["path=flex", "compiled for cuda alone"]),
        (["attentions=[]"], ["attentions: must not be empty"]),
        (["attentions=[dot]", "lengths=[]"], ["lengths: must not be empty"]),
        (["lengths=[0]"], ["lengths[0]: must be > 0, got 0"]),
        (["attentions=[dot]", "num_heads=3"], ["num_heads: 3 does not divide embed_dim=128"]),
        (["dtype=float8"], ["dtype", "bfloat16"]),
        (["attentions=[dot]", "decode=true", "with_mask=true"], ["with_mask", "Use with_mask=false with decode=true"]),
        (["attentions=[linformer]", "decode=true"], ["attentions: linformer", "must not look ahead"]),
        (["lenghts=[8]"], ["Did you mean lengths?"]),
        (["attentions=[dott]", "num_heads=3"], ["2 problems", "Did you mean dot?", "num_heads"]),
    ],
)
def test_a_mistake_is_named_before_anything_is_measured(
    arguments: list[str],
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands_run_in(tmp_path, monkeypatch)
    assert main(["bench", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    for text in said:
        assert text in shown.err, shown.err
    assert list(tmp_path.iterdir()) == []


def test_attentions_of_the_users_own_folder_are_measured(attnfocus: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "attention").mkdir(parents=True)
    (tmp_path / "mine" / "attention" / "sharp.yaml").write_text("# mine\ndefaults:\n  - cosine\n  - _self_\n")
    done = attnfocus("bench", "--config-dir", "mine", "attentions=[sharp]", "baseline=false", *TINY)
    assert done.returncode == 0, done.stderr
    assert "sharp" in done.stdout
    assert "baseline" not in done.stdout


def test_a_list_may_be_given_as_text() -> None:
    assert listed(["dot", " additive "]) == ["dot", "additive"]
    assert listed("[dot, 'local attention.pattern.window=4']") == ["dot", "local attention.pattern.window=4"]
    assert listed("dot") == ["dot"]
    assert listed("[]") == []


def test_options_of_a_choice_are_its_own() -> None:
    config = BenchConfig(attentions="dot, dot attention/pattern=causal", lengths=[8], embed_dim=16)
    plain, causal = list(candidates(config, CPU).values())[1:]
    assert type(plain().pattern).__name__ == "FullPattern"
    assert type(causal().pattern).__name__ == "CausalPattern"
    assert causal().num_heads == 4


class Recorder(nn.Module):
    """Notes its name at each call, and hands back the vectors."""

    def __init__(self, name: str, calls: list[str]) -> None:
        super().__init__()
        self.name, self.calls = name, calls

    def forward(self, query, keys, values, mask):
        self.calls.append(self.name)
        return query * 1.0, None


def test_attentions_take_turns_and_none_always_follows_the_same_other() -> None:
    calls: list[str] = []
    three = [Candidate(name, Recorder(name, calls)) for name in "abc"]
    interleaved(three, inputs_of(), repeats=2)
    assert "".join(calls) == "abc" + "bca" + "cab"
    assert all(len(candidate.times) == 2 for candidate in three)
    assert NUM_WARM_UPS == 1


def test_the_median_is_of_each_pass() -> None:
    assert medians(Candidate("a", nn.Identity(), times=[(1.0, 20.0), (3.0, 10.0), (100.0, 30.0)])) == (3.0, 20.0)


class Allocating(nn.Module):
    """8 MiB and 4 MiB at once, then 12 MiB beside the 4: 16 MiB at the most."""

    def forward(self, query, keys, values, mask):
        first, second = torch.empty(2**21), torch.empty(2**20)
        del first
        third = torch.empty(3 * 2**20)
        del second, third
        return query * 1.0, None


def test_peak_memory_is_what_was_held_at_once() -> None:
    inputs = inputs_of(length=4, dim=4)
    assert 0 <= peak_bytes(Allocating(), inputs) - 16 * 2**20 < 2**12


def test_peak_memory_counts_the_gradients_but_not_the_parameters() -> None:
    layer = Baseline(64, 4)
    found = peak_bytes(layer, inputs_of(length=2, dim=64))
    of_gradients = sum(4 * parameter.numel() for parameter in layer.parameters())
    assert of_gradients < found < 1.5 * of_gradients


@pytest.mark.parametrize("with_mask", [False, True])
def test_the_baseline_computes_what_multi_head_attention_does(with_mask: bool) -> None:
    ours, bare = Attention(16, 16, score=ScaledDotScore, num_heads=4), Baseline(16, 4)
    pairs = {"query": "query", "key": "keys", "value": "values", "output": "output"}
    for of_ours, of_bare in pairs.items():
        getattr(bare, of_bare).load_state_dict(getattr(ours, f"{of_ours}_projection").state_dict())
    inputs = inputs_of(with_mask=with_mask)
    given = (inputs.vectors, inputs.vectors, None, inputs.mask)
    torch.testing.assert_close(ours(*given)[0], bare(*given)[0])


def test_the_hidden_units_of_additive_attention_are_never_held_at_once() -> None:
    """Q = K = 512 and h = 256 in float32: 256 MiB of them in one piece. At 2048 it would be 4 GiB."""
    attention = Attention(256, 256, score=partial(AdditiveScore, hidden_size=256))
    inputs = Inputs.of(1, 512, 256, CPU, torch.float32, False)
    assert peak_bytes(attention, inputs) < 16 * 2**20


def exponent(values: dict[int, float]) -> float:
    found = growth(values)
    assert found is not None
    return found.exponent


def test_growth_is_the_exponent_of_a_power_law() -> None:
    assert exponent({n: 3.0 * n**2 for n in (8, 16, 64)}) == pytest.approx(2)
    assert exponent({n: 5.0 * n for n in (100, 1000)}) == pytest.approx(1)
    assert exponent({2: 7.0, 4: 7.0}) == pytest.approx(0)
    # By hand: points (0, 0), (1, 1), (2, 4) in log2; slope = ((-1)(-5/3) + (1)(7/3)) / 2 = 2.
    assert exponent({1: 1.0, 2: 2.0, 4: 16.0}) == pytest.approx(2)
    assert growth({8: 1.0}) is None
    assert growth({}) is None


def test_growth_has_an_interval_and_is_not_shown_where_noise_decides() -> None:
    """In log2 the points (0, 0), (1, 1), (2, 4) leave 1/3, -2/3, 1/3, squared 6/9, with one degree of freedom and a
    spread of 2: the error is sqrt(1/3) = 0.5774, and t(0.975; 1) = 12.7062, so 2 +- 7.336."""
    noisy = growth({1: 1.0, 2: 2.0, 4: 16.0})
    assert noisy is not None
    assert (noisy.low, noisy.high) == pytest.approx((2 - 7.3359, 2 + 7.3359), abs=1e-3)
    assert noisy.text() == ""
    sure = growth({n: 3.0 * n**2 for n in (8, 16, 64)})
    assert sure is not None
    assert sure.text() == "length^2.00 (2.00 to 2.00)"
    two = growth({8: 1.0, 16: 2.0})
    assert two is not None
    assert (two.low, two.text()) == (None, "")


def test_quartiles_are_of_whole_passes() -> None:
    times = [(1.0, 1.0), (1.0, 2.0), (1.0, 3.0), (1.0, 4.0), (1.0, 95.0)]
    assert quartiles(Candidate("a", nn.Identity(), times=times)) == (3.0, 4.0, 5.0)
    assert quartiles(Candidate("a", nn.Identity(), times=times[:1])) == (2.0, 2.0, 2.0)


def test_what_would_be_too_slow_or_too_large_is_left_out_and_said() -> None:
    config = BenchConfig(attentions=["dot"], lengths=[8], max_seconds=1.0, max_gib=1.0, embed_dim=16, repeats=1)
    builders = candidates(config, CPU)
    slow = Cost("dot", 8, "sdpa", 0.9, 0.9, 2**20)
    large = Cost("baseline", 8, "sdpa", 0.1, 0.1, 2**29)
    of_baseline, of_dot = measure(builders, 16, config, CPU, [large, slow])
    assert of_dot.problem == "took 1.8 s at 8, more than max_seconds=1."
    assert of_baseline.problem == "may take 2.0 GiB, more than max_gib=1."
    of_baseline, of_dot = measure(builders, 32, config, CPU, [large, of_baseline, of_dot])
    assert of_dot.problem == "took 1.8 s at 8, more than max_seconds=1."
    assert of_baseline.seconds is None


class Short(nn.Module):
    def forward(self, query, keys, values, mask):
        if query.shape[-2] > 8:
            raise ValueError("at most 8 positions: use a larger max_length.")
        return query * 1.0, None


def test_a_length_that_an_attention_refuses_costs_the_others_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    config = BenchConfig(attentions=["short"], lengths=[8, 16], embed_dim=16, repeats=1)
    builders = {"baseline": partial(Baseline, 16, 4), "short": Short}
    costs = [cost for length in (8, 16) for cost in measure(builders, length, config, CPU, [])]
    assert [cost.problem for cost in costs] == [None, None, None, "at most 8 positions: use a larger max_length."]
    assert costs[2].seconds is not None
    print_costs(plain_console(sys.stdout), costs)
    shown = capsys.readouterr().out
    assert "short at 16: at most 8 positions" in shown
    assert "   -" in shown
    assert len(draw_costs(costs, "a $title_").axes) == 2


@pytest.mark.parametrize("peak", [None, 2**20])
def test_a_figure_has_a_panel_for_what_is_known(peak: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    costs = [
        Cost("dot", n, "sdpa", n * 1e-3, n * 1e-3, peak, None, n * 1.5e-3, n * 2e-3, n * 4e-3) for n in (8, 16, 32)
    ]
    axes = draw_costs(costs, "").axes
    assert len(axes) == (1 if peak is None else 2)
    assert all(axis.get_xscale() == axis.get_yscale() == "log" for axis in axes)
    quantities = ["seconds, forward and backward; bars: quartiles", "peak MiB"]
    assert [axis.get_ylabel() for axis in axes] == quantities[: len(axes)]
    (line,) = axes[0].lines
    assert line.get_label() == "dot: grows as length^1.00 (1.00 to 1.00)"
    assert all(math.isclose(*pair) for pair in zip(line.get_ydata(), (16e-3, 32e-3, 64e-3), strict=True))
    (bars,) = axes[0].collections
    ends = [[point.tolist() for point in bar] for bar in bars.get_segments()]
    assert ends == [[[n, pytest.approx(n * 1.5e-3)], [n, pytest.approx(n * 4e-3)]] for n in (8, 16, 32)]
    print_costs(plain_console(sys.stdout), costs)
    shown = capsys.readouterr().out
    assert "16.00 (12.00 to 32.00)" in shown
    assert "quartiles" in shown


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        candidates(BenchConfig(attentions=["dott", "addditive"], lengths=[], embed_dim=9), CPU)
    assert len(error.value.problems) == 4


def test_attentions_of_limited_length_get_room_for_the_longest_unless_theirs_was_chosen() -> None:
    chosen = "linformer attention.max_length=520"
    config = BenchConfig(
        attentions=["linformer", "dot attention/position=learned", chosen], lengths=[8, 600], embed_dim=16
    )
    builders = candidates(config, CPU)
    longest = [builders[name]().max_length for name in ("linformer", "dot attention/position=learned", chosen)]
    assert longest == [600, 600, 520]


KEPT = {
    # 4 bytes x 2 rows x (keys and values) x 16 numbers for each of 32 positions
    "multi_head": 4 * 2 * 2 * 16 * 32,
    "multi_query": 4 * 2 * 2 * 16 * 32 // 4,  # one head of four
    "retention": 4 * 2 * 4 * 4 * 4,  # sums of products of the 4 numbers of a key and of a value, in each of four heads
}


def test_a_step_of_decoding_is_measured_with_what_is_kept() -> None:
    config = BenchConfig(
        attentions=[*KEPT, "local attention.pattern.window=3", "coverage"],
        lengths=[32],
        embed_dim=16,
        batch_size=2,
        repeats=2,
        decode=True,
    )
    rows: list[Cost] = []
    costs = measure(candidates(config, CPU), 32, config, CPU, [], rows.append)
    found = {cost.attention: cost for cost in costs}
    assert [cost.problem for cost in costs] == [None] * 6
    assert [cost.attention for cost in rows] == [*list(found)[1:], "baseline"]
    for cost in costs:
        assert cost.low_seconds is not None
        assert cost.high_seconds is not None
        assert 0 < cost.low_seconds <= cost.high_seconds
        assert (cost.backward_seconds, cost.peak_bytes) == (None, None)
    assert {name: found[name].state_bytes for name in KEPT} == KEPT
    assert found["baseline"].state_bytes == KEPT["multi_head"]
    window = found["local attention.pattern.window=3"].state_bytes
    assert window is not None
    assert window <= KEPT["multi_head"] // 4  # of a memory of at most 2 (3 + 1) positions
    shown = costs_drawing(costs, {})
    assert "one step of decoding" in shown.caption


@torch.no_grad()
def test_a_step_of_the_baseline_is_the_last_row_of_a_pass() -> None:
    layer, vectors = Baseline(16, 4), torch.randn(2, 12, 16)
    seen = []
    layer.output.register_forward_hook(lambda module, inputs, output: seen.append(output))
    decoder = Decoder(layer, vectors, repeats=2)
    for _ in range(3):
        decoder.time_once()
    assert decoder.position == 12
    mask = torch.ones(12, 12, dtype=torch.bool).tril().expand(2, 12, 12)
    whole, _ = layer(vectors, vectors, None, mask)
    torch.testing.assert_close(torch.cat(seen[:-1], dim=1), whole[:, -len(seen) + 1 :])


def test_a_machine_that_is_not_quiet_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    steady, unsteady_times = [(1e-3, 1e-3)] * 8, [(1e-3, 1e-3), (1e-3, 2e-3)] * 4
    assert unsteady("baseline", 512, steady) is None
    assert unsteady("baseline", 512, unsteady_times[:3]) is None
    said = unsteady("baseline", 512, unsteady_times)
    assert said is not None
    assert "8 measurements of baseline have quartiles of 2 and 3 ms around 2.5 ms" in said
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr("os.getloadavg", lambda: (0.4, 9.0, 9.0))
    assert other_load(2) is None
    monkeypatch.setattr("os.getloadavg", lambda: (1.2, 0.0, 0.0))
    said = other_load(2)
    assert said is not None
    assert "load 1.2" in said


def test_a_ratio_is_of_the_same_turn() -> None:
    bare = Candidate("baseline", nn.Identity(), times=[(1.0, 1.0), (10.0, 10.0), (2.0, 2.0)])
    slower = Candidate("a", nn.Identity(), times=[(2.0, 2.0), (20.0, 20.0), (6.0, 6.0)])
    assert of_baseline(slower, bare) == (2.0, 2.0, 2.5)
