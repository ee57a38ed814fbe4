"""Trains one stage of an AlignmentJob."""
