"""Reads rows from files, and turns them into dialogues and pairs."""
