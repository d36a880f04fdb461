"""How logs larger than memory become the parts of a dataset: the steps behind `build`."""
