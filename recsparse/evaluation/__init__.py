"""Ranking metrics over the full catalogue, and their tables and plots."""
