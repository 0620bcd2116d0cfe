"""Comparisons with the bare SDK and with other routers. Run by hand: `python -m tests.bench.overhead`."""
