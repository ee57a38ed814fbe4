"""Runs one stage of an AlignmentJob."""
