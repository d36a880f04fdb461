"""Trained models with their ids: folders on disk, batch scoring, MLflow's pyfunc."""
