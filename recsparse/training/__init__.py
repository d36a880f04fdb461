"""Gradient training with Lightning, and tracking in MLflow."""
