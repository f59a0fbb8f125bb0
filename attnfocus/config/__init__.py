"""Configuration: where it lies, what is allowed in it, and how it becomes objects.

With `attnfocus.cli` the only code that sees Hydra and OmegaConf.
"""
