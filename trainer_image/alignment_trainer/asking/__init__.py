"""Asks the policy the same few held-out prompts in every stage of a job."""
