"""Paths, addresses and filesystems; files that appear whole or not at all."""
