"""`tradewright core`: engines, one an account, each with its lease, feed, journal and broker."""
