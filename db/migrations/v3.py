"""On what terms a run's plan is carried out."""

STATEMENTS = ("ALTER TABLE run ADD COLUMN execution TEXT",)
