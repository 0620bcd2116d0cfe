"""Settings: the environment and `.env`, the limits, what was chosen and changed."""
