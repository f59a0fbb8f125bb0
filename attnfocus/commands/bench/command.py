"""`attnfocus bench 'attentions=[local,linear]' 'lengths=[256,512,1024]'`: what attentions cost, and how that grows."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import nn

from attnfocus.attention import BaseAttention, Call
from attnfocus.commands.bench.costs import Cost, write_costs_csv
from attnfocus.commands.bench.decoding import Decoder, state_bytes
from attnfocus.commands.bench.figure import costs_drawing
from attnfocus.commands.bench.growth import Growth, growth_of
from attnfocus.commands.bench.measure import (
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
from attnfocus.commands.bench.table import print_costs, print_row
from attnfocus.config.check import Checker
from attnfocus.config.presets import compose_choice
from attnfocus.config.read import check, save_yaml
from attnfocus.config.targets import make_factory
from attnfocus.display.console import open_console, say
from attnfocus.display.drawings import write_drawings
from attnfocus.display.figure_choices import FigureOptions
from attnfocus.errors import ConfigError
from attnfocus.files import writing
from attnfocus.layout import BENCH_FILE
from attnfocus.limits import PositiveFloat, PositiveInt, Range
from attnfocus.marks import FilePath
from attnfocus.models.attention_places import looking_back_only
from attnfocus.redaction import redact
from attnfocus.runs.claim import new_run_dir
from attnfocus.runs.folder import environment, made_by
from attnfocus.runs.schema import OutputPath
from attnfocus.runs.summary import write_summary
from attnfocus.runs.trial import without_numbers
from attnfocus.training import resolve_device, seed_everything

BASELINE = "baseline"
GIB = 2**30
FACTS = ("batch_size", "embed_dim", "num_heads", "with_mask", "dtype", "repeats")
Report = Callable[[Cost], None]

Build = Callable[[], nn.Module]


@dataclass(kw_only=True)
class BenchConfig(FigureOptions):
    """configs/bench.yaml."""

    attentions: list[str] | str  # text where Hydra cannot read a list, as with a blank or an = inside
    baseline: bool = True
    lengths: list[PositiveInt]
    batch_size: PositiveInt = 1
    embed_dim: PositiveInt = 128
    num_heads: PositiveInt = 4
    with_mask: bool = False
    decode: bool = False
    device: str = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    repeats: PositiveInt = 5
    max_seconds: PositiveFloat = 10.0
    max_gib: PositiveFloat = 4.0
    seed: Annotated[int, Range(ge=0, le=2**63 - 1)] = 1
    run_dir: FilePath | None = None
    paths: OutputPath = field(default_factory=OutputPath)
    config_dir: str | None = None  # the user's own groups; noted by the command line
    trust: list[str] = field(default_factory=list)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Measures, writes results.csv, summary.json and the figure, prints a table.

    Returns:
        The exit code.
    """
    config = check(values, BenchConfig)
    config.check_width()
    device = resolve_device(config.device)
    builders = candidates(config, device)
    folder = new_run_dir(config.run_dir, config.paths.outputs, "bench")
    writable = partial(writing, "run_dir" if config.run_dir else "paths.outputs", folder)
    with writable():
        save_yaml(folder / BENCH_FILE, redact({key: value for key, value in values.items() if key != "trust"}))
    facts = {**{name: getattr(config, name) for name in FACTS}, "device": _device_name(device)}
    origin = made_by("bench", overrides, config.config_dir)
    console = open_console()
    if config.decode:
        facts["decode"] = True
    threads = torch.get_num_threads()
    line = [*(f"{name} {value}" for name, value in facts.items()), f"{threads} threads", f"torch {torch.__version__}"]
    say(console, ", ".join(line), style="dim")
    warn = partial(say, console, style="yellow")
    noise = other_load(threads) if device.type == "cpu" else None
    if noise is not None:
        warn(noise)
    costs: list[Cost] = []
    report = partial(print_row, open_console(sys.stdout))
    for length in sorted(set(config.lengths)):
        costs += measure(builders, length, config, device, costs, report, warn)
        with writable():
            _write(folder, costs, facts, origin)
            write_drawings(
                folder, [costs_drawing(costs, facts)], config
            )  # after each length: what is there survives a Ctrl-C
    print_costs(open_console(sys.stdout), costs)
    say(console, f"\nresults  {folder}", wrap=False)
    return 0


def candidates(config: BenchConfig, device: torch.device) -> dict[str, Build]:
    """What makes each attention, in the order given, tried on the meta device.

    Raises:
        ConfigError: every problem at once.
    """
    attentions = listed(config.attentions)
    problems = [
        f"{key}: must not be empty."
        for key, given in (("attentions", attentions), ("lengths", config.lengths))
        if not given
    ]
    if config.embed_dim % config.num_heads:
        problems.append(f"num_heads: {config.num_heads} does not divide embed_dim={config.embed_dim}.")
    if config.decode and config.with_mask:
        problems.append("with_mask: a step of decoding knows no padding. Use with_mask=false with decode=true.")
    builders: dict[str, Build] = {}
    if config.baseline:
        builders[BASELINE] = partial(Baseline, config.embed_dim, config.num_heads)
    for text in attentions:
        try:
            builders[text] = _builder(text, config)
            with without_numbers():
                module = builders[text]()
            if isinstance(module, BaseAttention):
                module.chosen_path(Call(device=device.type))
        except ConfigError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(f"attentions: {text}: {error}")
    if problems:
        raise ConfigError(problems)
    return builders


def listed(attentions: Sequence[str] | str) -> list[str]:
    """The items of a list, or of the text of one: `[dot, local attention.pattern.window=4]`."""
    items = attentions.strip().strip("[]").split(",") if isinstance(attentions, str) else attentions
    return [" ".join(item.strip(" \"'").split()) for item in items if item.strip()]


def _builder(text: str, config: BenchConfig) -> Build:
    node = compose_choice("attentions", "attention", text, config.config_dir)
    if "max_length" not in text:
        node = lengthened(node, max(config.lengths, default=0))
    checker = Checker(config.trust)
    checked = checker.component("attention", node)
    if checked is None or checker.problems:
        raise ConfigError([f"attentions: {text}: {problem}" for problem in checker.problems])
    dim = config.embed_dim
    sizes = {
        "query_dim": dim,
        "key_dim": dim,
        "value_dim": dim,
        "output_dim": dim,
        "suggested_heads": config.num_heads,
        "suggested_projections": True,
    }
    factory = make_factory(checked, config.trust)
    if not config.decode:
        return partial(factory, **sizes)
    with without_numbers():
        if factory(**sizes).decoders_only:
            return partial(factory, **sizes)
    return partial(looking_back_only(factory, sizes, "decoding", "attentions=[multi_head]"), **sizes)


def lengthened(node: Mapping[str, Any], longest: int) -> dict[str, Any]:
    """The attention's options, those of its factors too, with room for the longest input where length is limited."""
    changed = {key: lengthened(each, longest) if isinstance(each, Mapping) else each for key, each in node.items()}
    limit = changed.get("max_length")
    return {**changed, "max_length": max(limit, longest)} if isinstance(limit, int) else changed


def measure(
    builders: Mapping[str, Build],
    length: int,
    config: BenchConfig,
    device: torch.device,
    before: Sequence[Cost],
    report: Report = lambda cost: None,
    warn: Callable[[str], object] = lambda message: None,
) -> list[Cost]:
    """One length. An attention that was too slow, too large or refused at a shorter one is left out.

    Each takes turns with the baseline, which is measured anew beside it; without a baseline all take turns.

    Args:
        before: what was measured at shorter lengths.
        report: takes each cost as soon as it is known.
        warn: takes what speaks against the times.
    """
    seed_everything(config.seed)
    dtype = getattr(torch, config.dtype)
    inputs = Inputs.of(config.batch_size, length, config.embed_dim, device, dtype, config.with_mask)
    costs: dict[str, Cost] = {}
    modules: dict[str, nn.Module] = {}
    sizes: dict[str, int | None] = {}
    for name, build in builders.items():
        problem = _why_left_out(name, length, config, before)
        if problem is None:
            module = build().to(device, dtype)
            try:
                sizes[name] = _size(module, inputs, config)
                modules[name] = module
            except (ValueError, torch.OutOfMemoryError) as error:
                problem = str(error).splitlines()[0]
        if problem is not None:
            costs[name] = Cost(name, length, problem=problem)
            report(costs[name])
    bare = modules.pop(BASELINE, None) if len(modules) > 1 else None
    groups = [list(modules)] if bare is None and modules else [[name] for name in modules]
    of_bare: list[tuple[float, float]] = []
    first: list[tuple[float, float]] = []
    for group in groups:
        pair = None if bare is None else _candidate(BASELINE, bare, inputs, config)
        candidates = [_candidate(name, modules[name], inputs, config) for name in group]
        interleaved([*([] if pair is None else [pair]), *candidates], inputs, config.repeats)
        of_bare += [] if pair is None else pair.times
        for candidate in candidates:
            costs[candidate.name] = _cost(candidate, sizes[candidate.name], pair, inputs, config)
            report(costs[candidate.name])
            first = first or candidate.times
    if bare is not None:
        whole = Candidate(BASELINE, bare, times=of_bare)
        costs[BASELINE] = _cost(whole, sizes[BASELINE], None, inputs, config)
        report(costs[BASELINE])
    noise = unsteady(BASELINE if bare is not None else next(iter(modules), ""), length, of_bare or first)
    if noise is not None:
        warn(noise)
    return [costs[name] for name in builders]


def _candidate(name: str, module: nn.Module, inputs: Inputs, config: BenchConfig) -> Candidate:
    if not config.decode:
        return Candidate(name, module)
    return Candidate(name, module, Decoder(module, inputs.vectors, config.repeats).time_once)


def _size(module: nn.Module, inputs: Inputs, config: BenchConfig) -> int | None:
    """The peak in bytes, or of decoding what it keeps."""
    return state_bytes(module, inputs.vectors) if config.decode else peak_bytes(module, inputs)


def _cost(
    candidate: Candidate, size: int | None, baseline: Candidate | None, inputs: Inputs, config: BenchConfig
) -> Cost:
    """size: the peak in bytes, or of decoding what it keeps."""
    low, middle, high = quartiles(candidate)
    low_ratio, ratio, high_ratio = (None, None, None) if baseline is None else of_baseline(candidate, baseline)
    forward, backward = medians(candidate)
    return Cost(
        candidate.name,
        inputs.vectors.shape[1],
        "" if config.decode else _path_of(candidate.module, inputs, config),
        forward,
        None if config.decode else backward,
        None if config.decode else size,
        None,
        low,
        middle,
        high,
        ratio,
        low_ratio,
        high_ratio,
        size if config.decode else None,
    )


def _why_left_out(name: str, length: int, config: BenchConfig, before: Sequence[Cost]) -> str | None:
    last = next((cost for cost in reversed(before) if cost.attention == name), None)
    if last is None:
        return None
    if last.problem is not None:
        return last.problem
    if last.seconds is not None and last.seconds > config.max_seconds:
        return f"took {last.seconds:.1f} s at {last.length}, more than max_seconds={config.max_seconds:g}."
    expected = (last.peak_bytes or 0) * (length / last.length) ** 2 / GIB
    if expected > config.max_gib:
        return f"may take {expected:.1f} GiB, more than max_gib={config.max_gib:g}."
    return None


def _path_of(module: nn.Module, inputs: Inputs, config: BenchConfig) -> str:
    if not isinstance(module, BaseAttention):
        return "sdpa"
    batch_size, length, _ = inputs.vectors.shape
    rows = batch_size * module.num_heads
    device, dtype = inputs.vectors.device.type, inputs.vectors.dtype
    return module.chosen_path(Call(False, length, length, rows, device, dtype, config.with_mask)).name


def _write(folder: Path, costs: Sequence[Cost], facts: Mapping[str, object], origin: Mapping[str, str]) -> None:
    write_costs_csv(folder / "results.csv", costs, facts)
    names = dict.fromkeys(cost.attention for cost in costs)
    exponents = {
        name: {what: _facts_of(growth_of(costs, name, what)) for what in ("seconds", "bytes")} for name in names
    }
    written = {**origin, **environment(str(facts["device"])), "facts": facts, "grows_as_length_to_the": exponents}
    write_summary(folder, written)


def _facts_of(found: Growth | None) -> dict[str, float | None] | None:
    return None if found is None else dict(vars(found))


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
