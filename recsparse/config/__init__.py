"""What can be set for a job: sections of settings, read from and written to TOML."""
