"""What is asked of the history: filters, words to find, figures, and what of it is kept."""
