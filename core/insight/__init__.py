"""What the history says, as charts and strips."""
