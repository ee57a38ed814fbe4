"""Which rows a stage trains on, and as which tokens."""
