"""Measurements of speed, memory and accuracy against peers; each module prints a table."""
