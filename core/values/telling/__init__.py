"""Attempts, skips and whole runs told in sentences, the same wherever they are told."""
