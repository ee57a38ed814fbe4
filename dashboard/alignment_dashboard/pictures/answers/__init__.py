"""Prompts and answers as HTML: which cards stand beside each other, and how their texts are marked and escaped."""
