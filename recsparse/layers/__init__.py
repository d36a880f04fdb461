"""Modules over sparse tensors."""
