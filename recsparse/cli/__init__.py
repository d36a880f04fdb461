"""The `recsparse` command."""
