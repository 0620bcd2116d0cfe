"""Run plan, a run's own page, and Compare."""
