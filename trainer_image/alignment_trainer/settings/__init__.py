"""A stage's settings with nothing left open, by kind."""
