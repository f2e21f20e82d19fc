"""The schema's history, for both databases."""
