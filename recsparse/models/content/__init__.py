"""Models that rank by what is known of items: their words."""
