"""How far running stages are."""
