"""The parts of a search for settings: what is tried, by whom, and what is kept of it."""
