"""Bytes of files become rows: dialogues and pairs."""
