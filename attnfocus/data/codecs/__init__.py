"""Rows to numbers and back. Each file is one kind of row; `base` says what a codec of your own gives."""
