"""Proves a written folder in a fresh process: its form, and how close its predictions come to the original's."""
