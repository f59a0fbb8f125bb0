"""What the files of a run say of the weights that an inspection shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attnfocus.runs.faithfulness_file import load_tested
from attnfocus.runs.heads_file import load_heads


def findings_of(run_dir: Path, checkpoint: str, step: int | None) -> dict[str, Any]:
    """What heads do (`head_kinds`) and what the test of the weights has found, as `inspection.Content` takes them.

    Nothing of another checkpoint than `best`, whose weights are those that were looked at.
    """
    if checkpoint != "best":
        return {}
    heads = load_heads(run_dir, step)
    return {"head_kinds": {} if heads is None else heads.kinds, **load_tested(run_dir, step)}
