"""Whole networks of sparse layers."""
