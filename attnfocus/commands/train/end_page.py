"""report.html at the end of a run: whether it is written, and what it may cost."""

import logging
import time
from pathlib import Path

from attnfocus.commands.report.material import Material
from attnfocus.commands.report.page import page_of
from attnfocus.commands.train.run_report import RunReport
from attnfocus.data.preparation import Prepared
from attnfocus.display.console import open_console, say
from attnfocus.display.text import shorten
from attnfocus.inspection.examples import Trained
from attnfocus.layout import JOB_FILE, REPORT_FILE
from attnfocus.regular_files import is_there, replace_file
from attnfocus.runs.config import RunConfig
from attnfocus.training import TrainingResult

MIN_SECONDS = 30.0  # of a run whose page is written unasked
SHARE = 0.015  # of the seconds of training, in which examples are asked for; the rest of the page costs about as much
LEAST_SECONDS = 1.0
MAX_REASON = 200

logger = logging.getLogger(__name__)


def is_wanted(config: RunConfig, run_dir: Path, result: TrainingResult) -> bool:
    """Whether the page of a run that has ended is written. The page of a sweep is that of `compare`."""
    choice = config.values.get("report", "auto")
    if result.status != "completed" or choice is False:
        return False
    return choice is True or (result.seconds > MIN_SECONDS and not is_there(run_dir / JOB_FILE))


def write_page(
    config: RunConfig, trained: Trained, prepared: Prepared, report: RunReport, result: TrainingResult
) -> None:
    """Writes the page of a run whose summary is written, and says where it is. It fails no run.

    Args:
        config: of the run.
        trained: what was tested.
        report: what the run has written.
    """
    run_dir = report.run_dir
    path = run_dir / REPORT_FILE
    step, checkpoint = (result.best.step, "best") if result.best else (result.step, "last")
    seconds = max(LEAST_SECONDS, SHARE * result.seconds)
    material = Material(run_dir, config, trained, prepared, report.statistics, step, checkpoint, seconds)
    began, used = time.perf_counter(), time.process_time()
    was_training = trained.model.training
    trained.model.eval()
    try:
        replace_file(path, page_of(material).encode("ascii"))
    except Exception as error:  # whatever it is, the run is whole without the page
        logger.warning("%s was not written", path, exc_info=True)
        reason = shorten(f"{type(error).__name__}: {error}".replace("\n", " "), MAX_REASON)
        text = f"warning: {REPORT_FILE} was not written ({reason}). The run is whole without it."
        say(open_console(), text, style="yellow")
    else:
        spent, used = time.perf_counter() - began, time.process_time() - used
        logger.info("%s: %.1f s, %.1f s of it at work", REPORT_FILE, spent, used)
        say(open_console(), f"report  {path}", wrap=False)
    finally:
        trained.model.train(was_training)
