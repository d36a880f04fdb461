"""Sparse convolution engines side by side: cases, workers, checks and reports."""
