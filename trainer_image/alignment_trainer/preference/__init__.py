"""Preference training without padding: the answers of a pair share their prompt, and pairs share a row."""
