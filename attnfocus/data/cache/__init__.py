"""Prepared data of large files, kept for the next run with the same files and options."""
