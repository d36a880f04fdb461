"""What recommenders are compared on: data, splits, contenders and their settings."""
