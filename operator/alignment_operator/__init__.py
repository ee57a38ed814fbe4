"""Turns AlignmentJobs into training, on a cluster or on this machine."""
