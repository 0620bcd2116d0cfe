"""What a run decided: who was to be asked, in which order, and who was not, and why."""

STATEMENTS = ("ALTER TABLE run ADD COLUMN decisions TEXT",)
