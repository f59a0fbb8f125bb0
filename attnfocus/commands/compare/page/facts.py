"""What the script of the page reads: numbers and texts, nothing drawn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from attnfocus.commands.compare.page.curves import Curves, row_names
from attnfocus.commands.compare.sections import Difference, Section, direction_of, name_of, shown_metrics
from attnfocus.commands.compare.table import corrected_for, remarks
from attnfocus.display.documents import ramps
from attnfocus.files import path_from
from attnfocus.inspection.side_by_side import Looks
from attnfocus.visible import visible


def page_facts(
    sections: Sequence[Section],
    curves: Sequence[Curves],
    looks: Mapping[str, Looks],
    left_out: Mapping[Path, str],
    origin: Mapping[str, str],
    folder: Path,
) -> dict[str, Any]:
    """As `page_of`."""
    return {
        **origin,
        "palette": ramps(),
        "legend": _legend(sections),
        "left_out": {visible(path_from(folder, path)): visible(reason) for path, reason in left_out.items()},
        "sections": [
            _section(section, own, looks.get(section.title), folder)
            for section, own in zip(sections, curves, strict=True)
        ],
    }


def _legend(sections: Sequence[Section]) -> dict[str, Any]:
    """What the legend depends on: whether there are differences, and for how many comparisons p is corrected."""
    largest, is_most = corrected_for(sections)
    has_differences = any(section.differences for section in sections)
    return {"differences": has_differences, "corrected": largest, "is_most": is_most}


def _section(section: Section, curves: Curves, looks: Looks | None, folder: Path) -> dict[str, Any]:
    metrics = shown_metrics(section)
    tested = dict.fromkeys(each.metric for each in section.differences)
    return {
        "title": visible(section.title),
        "keys": list(dict.fromkeys(key for row in section.rows for key in row.labels)),
        "metrics": [_metric(section, name) for name in metrics],
        "rows": [
            {
                "name": visible(name),
                "labels": {key: visible(value) for key, value in row.labels.items()},
                "seeds": row.seeds,
                "dirs": [visible(path_from(folder, path)) for path in row.run_dirs],
                "values": [[run.get(metric) for metric in metrics] for run in row.runs],
            }
            for row, name in zip(section.rows, row_names(section.rows), strict=True)
        ],
        "tested": [_metric(section, f"test/{name}") for name in tested],
        "differences": [_difference(each) for each in section.differences],
        "corrected": corrected_for([section])[0],
        "remarks": [visible(remark) for remark in remarks(section)],
        "curves": [
            {
                **_metric(section, f"valid/{name}"),
                "of": {place: vars(curve) for place, curve in of_rows.items()},
            }
            for name, of_rows in curves.of_metrics.items()
        ],
        "curves_left_out": curves.left_out,
        "example": None if looks is None else looks.facts(),
    }


def _metric(section: Section, name: str) -> dict[str, Any]:
    """`better`: max, min, or empty where neither side is; `share`: between 0 and 1 by what it is."""
    return {
        "key": name,
        "name": name_of(name),
        "better": direction_of(section, name),
        "share": section.is_share(name),
        "unit": "seconds" if name == "seconds" else "count" if name == "parameters" else "",
    }


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "name": visible(each.name),
        "metric": f"test/{each.metric}",
        "seeds": list(each.by_seed),
        "values": list(each.by_seed.values()),
        "mean": mean(each.by_seed.values()) if each.by_seed else None,
        "interval": each.interval,
        "p": [each.p_values.get(seed) for seed in each.by_seed],
        "corrected": [each.corrected.get(seed) for seed in each.by_seed],
        "remark": visible(each.remark),
    }
