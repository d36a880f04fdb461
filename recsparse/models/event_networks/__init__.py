"""Networks over the events of each user in the order of time."""
