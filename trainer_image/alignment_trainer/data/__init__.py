"""The rows that a stage trains on, and their tokens."""
