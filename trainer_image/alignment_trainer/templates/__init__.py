"""Chat templates: which one a model has, how it writes a dialogue, and where the answers are in that text; without torch."""
