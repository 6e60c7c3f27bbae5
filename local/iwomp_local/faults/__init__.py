"""Breaks the pipeline on purpose, on a local AWS, and counts what became of every trigger."""
