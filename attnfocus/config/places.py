"""Where a YAML file is broken: `file:line:column: problem`, on one line."""

from yaml import YAMLError
from yaml.error import MarkedYAMLError


def yaml_problem(error: YAMLError, file: str = "") -> str:
    """What the YAML reader says, after the place that it means; lines and columns are counted from 1.

    Args:
        file: used where the reader was given text and knows no name.
    """
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return f"{file}: {' '.join(str(error).split())}" if file else " ".join(str(error).split())
    name = file or mark.name
    said = ", ".join(text for text in (error.context, error.problem) if text)
    return f"{name}:{mark.line + 1}:{mark.column + 1}: {' '.join(said.split())}"
