"""How much GPU memory a stage needs, and whether it fits."""
