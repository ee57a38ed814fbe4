"""Benchmarks of lm-eval: its prompts and scores, on rows of the workspace or the Hub, asked of the stage's own loaded models."""
