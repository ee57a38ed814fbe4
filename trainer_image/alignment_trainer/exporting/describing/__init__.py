"""Describes an exported model to people: its card, where its settings come from, its scores."""
