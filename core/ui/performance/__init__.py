"""Performance: how the providers fared."""
