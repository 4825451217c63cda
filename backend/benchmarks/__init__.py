"""What this machine does against the figures to reach. `tradewright bench` runs them."""
