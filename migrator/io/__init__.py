"""The outside world: each file touches exactly one thing."""
