"""All decisions, as pure functions."""
