"""Settings: every setting, the limits, and the history's upkeep."""
