"""Runs, models and metrics in MLflow: the one room that imports it."""
