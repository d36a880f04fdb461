"""Models that score items from a user's row; they see tensors and matrices, never a file."""
