"""Recommender models with sparse convolutions, from Parquet logs to scored Parquet."""
