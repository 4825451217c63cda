"""`tradewright guardian`: halts, cancels and flattens when the trading process cannot."""
