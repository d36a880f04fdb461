"""Public data sets: where they lie, and their tables."""
