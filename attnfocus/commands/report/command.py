"""`attnfocus report run=DIR`: report.html of a run that was trained before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attnfocus.commands.report.material import Material
from attnfocus.commands.report.page import page_of
from attnfocus.config.read import check
from attnfocus.display.console import open_console, say
from attnfocus.files import writing
from attnfocus.inspection.examples import Trained
from attnfocus.layout import REPORT_FILE
from attnfocus.marks import FilePath
from attnfocus.regular_files import make_folder, replace_file
from attnfocus.runs.data_summary import statistics_of
from attnfocus.runs.evaluation import prepare_data
from attnfocus.runs.folder import check_fingerprints
from attnfocus.runs.loader import load
from attnfocus.runs.schema import DataPath


@dataclass(kw_only=True)
class ReportConfig:
    """configs/report.yaml."""

    run: FilePath
    device: str = "auto"
    output: FilePath | None = None
    trust: list[str] = field(default_factory=list)
    paths: DataPath = field(default_factory=DataPath)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Reads the run and its data, asks its best checkpoint for a few examples, writes the page and names it.

    Returns:
        The exit code.
    """
    config = check(values, ReportConfig)
    trained = load(config.run, device=config.device, data=config.paths.data, trust=config.trust)
    trained.config.require_whole(trained.path, "dataset")
    prepared = prepare_data(trained.setup, trained.codec)
    check_fingerprints(trained.path, prepared)
    asked = Trained(trained.task, trained.model, trained.setup.config.decoding)
    material = Material(
        trained.path, trained.config, asked, prepared, statistics_of(prepared), trained.step, trained.checkpoint
    )
    path = trained.path / REPORT_FILE if config.output is None else Path(config.output).expanduser().resolve()
    page = page_of(material)
    with writing("run" if config.output is None else "output", path):
        make_folder(path.parent)
        replace_file(path, page.encode("ascii"))
    say(open_console(), f"report  {path}", wrap=False)
    return 0
