"""Preference pairs: who answers a prompt, what a judge says about the answers, and which two of them become a pair."""
