"""A plan carried out: its steps, what each is told, and how far they have come."""
