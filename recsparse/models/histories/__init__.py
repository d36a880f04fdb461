"""Rows of a user-item matrix in the order of time."""
