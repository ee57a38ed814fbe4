"""Judges: what they are asked, and how strictly their replies are read; without torch."""
