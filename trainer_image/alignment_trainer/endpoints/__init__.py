"""Requests to teachers and judges, with API keys sent only where they are allowed; without torch."""
