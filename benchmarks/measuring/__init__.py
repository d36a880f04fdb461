"""How benchmarks measure and show: turns, processes of their own, synthetic rows, tables."""
