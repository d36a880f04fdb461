"""What a model implements and what it is given."""
