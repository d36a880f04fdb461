"""What other libraries make of the same lists: each script runs in an environment of its own."""
