"""Parts of scripts/calibrate_trust.py: tasks with planted evidence, decoys, truth, verdicts, tables."""
