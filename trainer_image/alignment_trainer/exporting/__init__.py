"""Writes a model for serving, and proves the written folder in a fresh process."""
