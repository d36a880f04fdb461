"""Lists of the best items, and how good they are: what models choose by and evaluations report."""
