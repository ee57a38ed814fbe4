"""Weights, tokenizers and adapters: what a stage starts from and what it publishes."""
