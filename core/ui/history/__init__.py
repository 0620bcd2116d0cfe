"""History: every run and every call."""
