"""Figures of a period: rollups, percentiles, and what the Performance page asks.

Why it is as it is:

- All that a Performance page shows is of one moment, so that its figures agree with each other
  while calls come in, and none is read twice.
"""
