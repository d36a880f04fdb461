"""Everything before the model: logs, vocabularies, splits, orders, grids and text."""
