"""attnfocus: train attention models from composed configuration, and look at where they look."""

__version__ = "0.1.0"
