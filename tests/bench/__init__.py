"""Comparisons, run by hand: `python -m tests.bench.overhead`."""
