"""Metrics of a split's answers, besides those of its task. Each file is one; a `metric=` YAML names its class.

Each is imported when it is first asked for: code of our own imports from the modules.
"""

from attnfocus.late_names import late_names

_NAMES = {
    "base": ("Answer", "Metric"),
    "calibration_error": ("CalibrationError",),
    "matthews_correlation": ("MatthewsCorrelation",),
    "translation_edit_rate": ("TranslationEditRate",),
    "word_error_rate": ("WordErrorRate",),
}

__all__, __getattr__, __dir__ = late_names(__name__, _NAMES)
