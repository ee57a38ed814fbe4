"""The rounds in which a student learns to prefer its teacher's answers to its own."""
