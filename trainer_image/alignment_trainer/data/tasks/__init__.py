"""The rows of tasks that measure models: how each is recognised, and what is read of it."""
