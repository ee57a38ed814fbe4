"""A stage's settings with every value set, by kind."""
