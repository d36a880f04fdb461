"""From paths and addresses to batches of checked rows."""
