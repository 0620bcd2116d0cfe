"""Providers: how each is, its test, its model, and the order."""
