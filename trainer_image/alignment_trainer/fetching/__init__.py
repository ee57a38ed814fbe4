"""Bringing files here from the Hub and from buckets."""
