"""The contract of brokers as cases that run on any adapter: in tests, and for a user's account."""
