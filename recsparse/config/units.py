"""Units of settings: some speak of days, where data has seconds."""

SECONDS_A_DAY = 86_400
