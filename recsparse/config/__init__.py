"""What a job can be told: sections of settings, read from and written to TOML."""
