"""The version, which checkpoints and summaries name."""

__version__ = "0.1.0"
