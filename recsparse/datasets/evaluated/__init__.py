"""What of a part is evaluated: which lists are made, from what, and compared with what."""
