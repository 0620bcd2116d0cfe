"""The SQLite file: who writes, who reads, and what happens when the disk says no."""
