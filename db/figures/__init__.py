"""Figures of a period: rollups, percentiles, and what the Performance page asks."""
