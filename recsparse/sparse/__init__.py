"""Sparse tensors and convolution on their active cells; torch and torch_scatter only."""
