"""Figures of a period: rollups, percentiles, and what the Performance page asks.

Why it is as it is:

- Who reads the Performance page goes before who writes, for 20 ms at most. Both need Python's
  interpreter; sharing it made the page twice as slow beside an engine that records as fast as it
  can, and a call that takes seconds gains nothing by being recorded a few milliseconds sooner.
- All that a Performance page shows is of one moment, so that its figures agree with each other
  while calls come in, and none is read twice.
"""
