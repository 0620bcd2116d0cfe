"""Retention, size, backup and restore."""
