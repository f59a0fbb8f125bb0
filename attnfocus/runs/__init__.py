"""Run directories: their files, their configuration, and a trained run as an object."""
