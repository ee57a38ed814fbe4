"""Rows become dialogues and pairs: one module for each group of forms; without torch."""
