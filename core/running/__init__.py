"""Runs while they happen: the engine that owns them, their steps, budgets and who may be asked."""
