"""The kinds of splits, one file each, behind one protocol."""
