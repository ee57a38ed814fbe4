"""Runs programs that a model wrote, in processes that can do little else."""
