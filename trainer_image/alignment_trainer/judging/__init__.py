"""Judges: what they are asked, and how strictly their replies are read; what answers show by a rule; without torch."""
