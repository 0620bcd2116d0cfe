"""What a vendor sent, read: an answer, or a failure and what it means; one reading for all."""
