"""Retention, size, backup and restore.

Why it is as it is:

- Old records go in slices through the one writer, each sized by what the last one cost; rollups
  keep their sums. Interrupted calls go by their age like any other that has ended. A run stays
  whole as long as one of its calls is kept, and of a run that goes on nothing goes.
"""
