"""The parts of a backtest: windows, cells, what is kept of them, and the report."""
