"""Rows become sparse tensors: the one room that knows Arrow and torch."""
