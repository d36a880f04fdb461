"""What a job writes: claimed, locked, proved by a manifest, and replaced only where it is ours."""
